"""Impact: what a job's next cycle would do, evaluated and not exported."""

from __future__ import annotations

from dataclasses import dataclass

from cloudforest.base.canonical import digest as digest_of
from cloudforest.model.provisioning import Breakdown, Counts, CycleKind
from cloudforest.provisioning.evaluating.guarding.check import Tripped
from cloudforest.provisioning.evaluating.guarding.digesting import outbox_digest
from cloudforest.provisioning.foreseeing.breakdown import breakdown
from cloudforest.provisioning.foreseeing.scratch import following, foreseen
from cloudforest.provisioning.importing.importing import starting_point
from cloudforest.provisioning.run import Run


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
