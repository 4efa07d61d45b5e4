"""Goes through a job's links batch by batch, beside what the target holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import Link, SourceRow
from cloudforest.provisioning.drifting.attributes import drifted_attributes, regained
from cloudforest.provisioning.drifting.drift import Drift, Drifted
from cloudforest.provisioning.drifting.members import drifted_members
from cloudforest.provisioning.evaluating.doubted import Looked, look
from cloudforest.provisioning.evaluating.lost import held_elsewhere
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import Run

BATCH = 500
HELD = frozenset({"in", "unknown"})


@dataclass(frozen=True)
class Looking:
    """One look at a job's target, for as long as its picture is kept."""

    run: Run
    mappers: Mapping[ObjectType, Mapper]
    matcher: Matcher


@dataclass(frozen=True)
class Seen:
    """A batch: how many objects were compared, and what drifted of them."""

    checked: int
    drifted: tuple[Drifted, ...]


async def _looked(looking: Looking, links: Mapping[str, Link]) -> Looked:
    looked = Looked()
    for kind, mapper in looking.mappers.items():
        its = {each.resource: each for each in links.values() if each.type == kind}
        if its:
            await look(looking.matcher, mapper, its, looked)
    return looked


def _missing(row: SourceRow, link: Link) -> Drifted:
    return Drifted(Drift.of(row, link, "missing"))


async def _ours(
    looking: Looking, rows: Sequence[SourceRow], links: Mapping[str, Link]
) -> list[SourceRow]:
    """Return those who are linked, mapped, and not another job's to keep."""
    mapped = [row for row in rows if row.id in links and row.type in looking.mappers]
    left = [row.id for row in mapped if row.state not in HELD]
    elsewhere = await held_elsewhere(looking.run, left)
    return [row for row in mapped if row.id not in elsewhere]


async def _seen(looking: Looking, rows: Sequence[SourceRow]) -> Seen:
    run = looking.run
    links = await run.store.links(run.job.target, [row.id for row in rows])
    ours = await _ours(looking, rows, links)
    looked = await _looked(looking, {row.id: links[row.id] for row in ours})
    there = [row for row in ours if row.id in looked.found]
    held = [row for row in there if row.state in HELD]
    lost = [row for row in there if row.state not in HELD]
    drifted = [
        _missing(row, links[row.id])
        for row in ours
        if row.id in looked.gone and row.state in HELD
    ]
    pairs = [(row, links[row.id], looked.found[row.id]) for row in held]
    drifted += await drifted_attributes(run, looking.mappers, pairs)
    for row in lost:
        link, found = links[row.id], looked.found[row.id]
        again = regained(looking.mappers[row.type], row, link, found)
        drifted += [again] if again else []
    for row in held:
        some = await drifted_members(run, looking.mappers[row.type], row, links[row.id])
        drifted += [some] if some else []
    return Seen(checked=len(ours), drifted=tuple(drifted))


async def look_over(run: Run) -> AsyncIterator[Seen]:
    """Yield batch by batch what drifted of the job's linked objects; write nothing.

    Hold the target's turn, so that nobody of ours writes there meanwhile.
    """
    looking = Looking(run, mappers(run.program, run.clock()), Matcher(run))
    after = ""
    try:
        while rows := await run.store.sources(run.rows, run.job.target, after, BATCH):
            yield await _seen(looking, rows)
            after = rows[-1].id
    finally:
        await run.store.clear_snapshot(run.picture)
