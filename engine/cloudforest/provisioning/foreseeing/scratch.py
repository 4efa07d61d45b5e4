"""A job's next cycle on rows of its own, up to where it would write."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from cloudforest.model.provisioning import Attempts, Counts
from cloudforest.provisioning.evaluating.evaluate import Evaluated, evaluate
from cloudforest.provisioning.evaluating.guarding.check import OF_OBJECTS, Tripped
from cloudforest.provisioning.evaluating.guarding.releasing import with_allowances
from cloudforest.provisioning.importing.importing import import_changes, starting_point
from cloudforest.provisioning.run import Run


@asynccontextmanager
async def foreseen(run: Run, digest: str) -> AsyncIterator[tuple[Run, Evaluated]]:
    """Import and evaluate a job on scratch rows named for the plan and this run.

    The agents are asked what the cycle would ask: what changed since the job's
    watermark, or everything if its scope or its attributes are others. The target is
    only read. The rows are dropped, whatever happens.
    """
    scratch = replace(run, rows=f"plan:{digest[:32]}:{run.id}:{run.job.name}"[:200])
    await run.store.copy_job(run.job.name, scratch.rows)
    try:
        scratch = await with_allowances(scratch)
        await import_changes(scratch, await starting_point(run))
        yield scratch, await evaluate(scratch)
    finally:
        await run.store.drop_job(scratch.rows)


async def following(scratch: Run, evaluated: Evaluated) -> tuple[Tripped, ...]:
    """Return what budgets would be exceeded by once the stages of objects are allowed.

    Memberships go after the disable or the deletion of the member: while that waits in
    a stage no cycle counts them, and a decision would uncover the next one. To be asked
    last: the outbox is then what would be written.
    """
    known = {each.digest for each in evaluated.trips}
    held = {each.digest for each in evaluated.trips if each.guard in OF_OBJECTS}
    if not held:
        return ()
    again = replace(
        scratch,
        id=uuid.uuid4().hex,
        counts=Counts(),
        attempts=Attempts(),
        room={},
        claims={},
        unanswered=[],
        allowed=scratch.allowed | held,
    )
    later = await evaluate(again)
    return tuple(each for each in later.trips if each.digest not in known)
