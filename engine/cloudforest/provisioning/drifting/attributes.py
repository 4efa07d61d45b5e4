"""Which attributes of a batch of resources drifted, as it may be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import Change, Link, SourceRow, TargetResource
from cloudforest.provisioning.drifting.comparing import compare, compare_lost
from cloudforest.provisioning.drifting.drift import Differing, Drift, Drifted
from cloudforest.provisioning.evaluating.deciding import examine
from cloudforest.provisioning.evaluating.item import Item
from cloudforest.provisioning.evaluating.relations.references import known_ends
from cloudforest.provisioning.logbook import shown
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.run import Run

Found = tuple[SourceRow, Link, TargetResource]


def _redacted(each: Differing, hidden: frozenset[str]) -> Differing:
    """Put the log's mark in place of sensitive values, and cut long ones."""
    pairs = (
        Change(path=each.path, before=each.desired, after=each.written),
        Change(path=each.path, before=each.actual),
    )
    ours, theirs = shown(pairs, hidden)
    return Differing(
        path=each.path,
        desired=ours.before,
        written=ours.after,
        actual=theirs.before,
        cause=each.cause,
    )


def _drifted(
    mapper: Mapper, row: SourceRow, differing: Sequence[Differing], held: Link
) -> Drifted | None:
    if not differing:
        return None
    hidden = frozenset(each.target for each in mapper.program.rules if each.sensitive)
    told = tuple(_redacted(each, hidden) for each in differing)
    return Drifted(Drift.of(row, held, "attributes", told), held)


def regained(
    mapper: Mapper, row: SourceRow, link: Link, found: TargetResource
) -> Drifted | None:
    """Tell whether one who is lost has access again."""
    return _drifted(mapper, row, *compare_lost(row, mapper, link, found))


def _items(
    run: Run, mappers: Mapping[ObjectType, Mapper], found: Iterable[Found]
) -> dict[str, Item]:
    """Map the objects; of whom that can't be said, the next cycle tells."""
    now = run.clock()
    examined = (
        examine(row, mappers[row.type], link=link, prior=None, now=now)
        for row, link, _ in found
    )
    return {each.row.id: each for each in examined if isinstance(each, Item)}


async def drifted_attributes(
    run: Run, mappers: Mapping[ObjectType, Mapper], found: Sequence[Found]
) -> list[Drifted]:
    """Compare a batch of objects in scope, each with its resource."""
    items = _items(run, mappers, found)
    named = [
        guid
        for item in items.values()
        for guids in item.desired.references.values()
        for guid in guids
    ]
    ends = await known_ends(run, named)
    compared = (
        _drifted(mappers[row.type], row, *compare(items[row.id], link, resource, ends))
        for row, link, resource in found
        if row.id in items
    )
    return [each for each in compared if each is not None]
