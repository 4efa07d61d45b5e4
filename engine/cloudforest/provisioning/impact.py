"""A job's next cycle on rows of its own, up to where it would write.

Impact: what a job's next cycle would do, evaluated and not exported.

One object of a plan, step by step: what the next cycle would do with it, and why.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from cloudforest.base.values import digest as digest_of
from cloudforest.model.cycles import Attempts, Breakdown, Counts, CycleKind
from cloudforest.model.messages import Lookup
from cloudforest.model.stages import Tripped
from cloudforest.provisioning.evaluation.evaluate import Evaluated, evaluate
from cloudforest.provisioning.evaluation.guard import OF_OBJECTS
from cloudforest.provisioning.evaluation.stages import outbox_digest, with_allowances
from cloudforest.provisioning.explanation.explain import explain
from cloudforest.provisioning.impact_breakdown import breakdown
from cloudforest.provisioning.imports import import_changes, starting_point
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


@dataclass(frozen=True)
class Impact:
    """`requests` are the writes that the target would get; `digest` names them all.

    `breakdown` says whom they touch, `following` what a guard would object to next.
    """

    cycle: CycleKind
    counts: Counts
    requests: int
    trips: tuple[Tripped, ...]
    digest: str
    breakdown: Breakdown
    following: tuple[Tripped, ...] = ()


async def impact(run: Run, *, digest: str, named: bool = False) -> Impact:
    """Evaluate the next cycle; `named` has some of those whom it touches named."""
    start = await starting_point(run)
    async with foreseen(run, digest) as (scratch, evaluated):
        stages = [each.digest for each in evaluated.trips]
        effects = digest_of([await outbox_digest(scratch), stages])
        touched = await breakdown(scratch, named=named)
        later = await following(scratch, evaluated)
    return Impact(
        cycle="initial" if start is None else "incremental",
        counts=scratch.counts,
        requests=evaluated.requests,
        trips=evaluated.trips,
        digest=effects,
        breakdown=touched,
        following=later,
    )


async def explain_foreseen(run: Run, lookup: Lookup, *, digest: str) -> dict[str, Any]:
    """Explain an object beside the others that the cycle would see.

    So whom it refers to, and what a guard would hold back, is told as it would be.
    """
    async with foreseen(run, digest) as (scratch, _):
        return await explain(scratch, lookup)
