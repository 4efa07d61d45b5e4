"""Impact: what a job's next cycle would do, evaluated and not exported."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudforest.base.canonical import digest as digest_of
from cloudforest.model.provisioning import Counts
from cloudforest.provisioning.evaluating.evaluate import evaluate
from cloudforest.provisioning.evaluating.guarding.check import Tripped
from cloudforest.provisioning.evaluating.guarding.digesting import outbox_digest
from cloudforest.provisioning.evaluating.guarding.releasing import with_allowances
from cloudforest.provisioning.importing.importing import import_changes
from cloudforest.provisioning.run import Run


@dataclass(frozen=True)
class Impact:
    """`requests` are the writes that the target would get; `digest` names them all."""

    counts: Counts
    requests: int
    trips: tuple[Tripped, ...]
    digest: str


async def impact(run: Run, *, digest: str) -> Impact:
    """Import and evaluate a job on scratch rows named for the plan and this run.

    The target is only read. The rows are dropped, whatever happens.
    """
    scratch = replace(run, rows=f"plan:{digest[:32]}:{run.id}:{run.job.name}"[:200])
    await run.store.copy_job(run.job.name, scratch.rows)
    try:
        scratch = await with_allowances(scratch)
        await import_changes(scratch, None)
        evaluated = await evaluate(scratch)
        stages = [each.digest for each in evaluated.trips]
        effects = digest_of([await outbox_digest(scratch), stages])
    finally:
        await scratch.store.drop_job(scratch.rows)
    return Impact(scratch.counts, evaluated.requests, evaluated.trips, effects)
