"""Which members a group lacks that we wrote."""

from __future__ import annotations

from cloudforest.model.outcomes import NotThere, Refusal
from cloudforest.model.provisioning import Link, SourceRow
from cloudforest.provisioning.drifting.drift import Differing, Drift, Drifted
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.run import Run

FIRST = 100
"""So many of the members that a group lacks are named."""


async def _present(run: Run, link: Link) -> frozenset[str] | None:
    """Ask the group itself: no list has members. None: the target does not say."""
    try:
        return await run.target.member_ids(link.resource_type, link.resource)
    except NotThere:
        return frozenset()
    except Refusal:
        return None


async def drifted_members(
    run: Run, mapper: Mapper, row: SourceRow, link: Link
) -> Drifted | None:
    """Compare what we wrote; a member that others added is theirs."""
    if mapper.members is None:
        return None
    written = await run.store.written_members(run.job.target, row.id)
    present = await _present(run, link) if written else None
    if present is None:
        return None
    there = await run.store.resource_ids(run.job.target, list(written))
    lacking = sorted(each for each in written if there.get(each) not in present)
    some = tuple(lacking[:FIRST])
    differing = Differing(
        path=mapper.members.target,
        desired=some,
        written=some,
        actual=(),
        cause="changed outside",
    )
    drift = Drift.of(row, link, "members", (differing,))
    return Drifted(drift, present=present) if lacking else None
