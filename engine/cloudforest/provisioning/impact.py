"""Impact: what a job's next cycle would do, evaluated and not exported."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudforest.model.provisioning import Counts
from cloudforest.provisioning.evaluating.evaluate import evaluate
from cloudforest.provisioning.evaluating.guarding import Tripped
from cloudforest.provisioning.importing import import_changes
from cloudforest.provisioning.run import Run


@dataclass(frozen=True)
class Impact:
    """`requests` are the writes that the target would get."""

    counts: Counts
    requests: int
    trips: tuple[Tripped, ...]


async def impact(run: Run, *, digest: str) -> Impact:
    """Import and evaluate a job on scratch rows named for the plan and this run.

    The target is only read. The rows are dropped, whatever happens.
    """
    scratch = replace(run, rows=f"plan:{digest[:32]}:{run.id}:{run.job.name}"[:200])
    await run.store.copy_job(run.job.name, scratch.rows)
    try:
        await import_changes(scratch, None)
        evaluated = await evaluate(scratch)
    finally:
        await scratch.store.drop_job(scratch.rows)
    return Impact(scratch.counts, evaluated.requests, evaluated.trips)
