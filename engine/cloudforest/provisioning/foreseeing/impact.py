"""Impact: what a job's next cycle would do, evaluated and not exported."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudforest.base.canonical import digest as digest_of
from cloudforest.model.provisioning import Breakdown, Counts
from cloudforest.provisioning.evaluating.evaluate import evaluate
from cloudforest.provisioning.evaluating.guarding.check import Tripped
from cloudforest.provisioning.evaluating.guarding.digesting import outbox_digest
from cloudforest.provisioning.evaluating.guarding.releasing import with_allowances
from cloudforest.provisioning.foreseeing.breakdown import breakdown
from cloudforest.provisioning.importing.importing import import_changes, starting_point
from cloudforest.provisioning.run import Run


@dataclass(frozen=True)
class Impact:
    """`requests` are the writes that the target would get; `digest` names them all.

    `breakdown` says whom they touch.
    """

    counts: Counts
    requests: int
    trips: tuple[Tripped, ...]
    digest: str
    breakdown: Breakdown


async def impact(run: Run, *, digest: str, named: bool = False) -> Impact:
    """Import and evaluate a job on scratch rows named for the plan and this run.

    The agents are asked what the cycle would ask: what changed since the job's
    watermark, or everything if its scope or its attributes are others. The target is
    only read. The rows are dropped, whatever happens. `named` has some of those whom it
    touches named.
    """
    scratch = replace(run, rows=f"plan:{digest[:32]}:{run.id}:{run.job.name}"[:200])
    await run.store.copy_job(run.job.name, scratch.rows)
    try:
        scratch = await with_allowances(scratch)
        await import_changes(scratch, await starting_point(run))
        evaluated = await evaluate(scratch)
        stages = [each.digest for each in evaluated.trips]
        effects = digest_of([await outbox_digest(scratch), stages])
        touched = await breakdown(scratch, named=named)
    finally:
        await scratch.store.drop_job(scratch.rows)
    return Impact(scratch.counts, evaluated.requests, evaluated.trips, effects, touched)
