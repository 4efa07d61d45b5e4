"""Compares one object three ways: desired, last written, and as the target holds it.

What would be written if we had written what the target holds, is what drifted; but not
what is as we wrote it: that is a change on its way. Pure.

What drifted: one entry for each object and kind of difference.

Which attributes of a batch of resources drifted, as it may be told.

Which members a group lacks that we wrote.

Goes through a job's links batch by batch, beside what the target holds.

Repairs by counting as written what the target holds: the next cycle does the rest.

So its writes are seen by the guard, logged, held back and repeated like all others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as altered
from typing import Any, Literal

from msgspec.structs import replace

from cloudforest.base.values import Value
from cloudforest.model.effects import Change
from cloudforest.model.ports.target import NotThere, Refusal
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Flat, Link, SourceRow, TargetResource
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.changes import changes, same
from cloudforest.provisioning.differences import Item, identifier
from cloudforest.provisioning.evaluation.decide import examine
from cloudforest.provisioning.evaluation.deprovision import deprovision, held_elsewhere
from cloudforest.provisioning.evaluation.references import Ends, known_ends, reference
from cloudforest.provisioning.export.requests import rewritten
from cloudforest.provisioning.log_entries import shown
from cloudforest.provisioning.mapper import ACTIVE, Mapper, mappers
from cloudforest.provisioning.matching import Looked, Matcher, look
from cloudforest.provisioning.run import Run

Kind = Literal["missing", "attributes", "members"]
Cause = Literal["changed outside", "never arrived"]
"""The target holds another value than we wrote; or none, though it took the write."""


class Differing(Value, frozen=True):
    """One attribute of one resource, three ways; None is absence.

    References are resource ids. Of members only those are named that differ, by
    objectGUID.
    """

    path: str
    desired: Any
    written: Any
    actual: Any
    cause: Cause


class Drift(Value, frozen=True):
    """`object` is an objectGUID, `name` its DN; None: who asks sees no names."""

    object: str
    name: str | None
    resource: str
    kind: Kind
    attributes: tuple[Differing, ...] = ()

    @staticmethod
    def of(
        row: SourceRow, link: Link, kind: Kind, attributes: tuple[Differing, ...] = ()
    ) -> Drift:
        return Drift(
            object=row.id,
            name=row.dn,
            resource=link.resource,
            kind=kind,
            attributes=attributes,
        )


@dataclass(frozen=True)
class Drifted:
    """A drift, and what a repair goes by.

    `link` is that of drifted attributes, as if we had written what the target holds;
    `present` are the members of a group, by resource id.
    """

    drift: Drift
    link: Link | None = None
    present: frozenset[str] = frozenset()


def withheld(drift: Drift) -> Drift:
    """Return what a pipeline is told: ids, paths and causes, no names and values."""
    bare = tuple(
        replace(each, desired=None, written=None, actual=None)
        for each in drift.attributes
    )
    return replace(drift, name=None, attributes=bare)


NEVER_RETURNED = frozenset({"password"})
"""No service shows it to anybody (RFC 7643, 4.1.1: `returned` is `never`)."""


def _as_held(item: Item, link: Link, found: TargetResource) -> Link:
    """Return the link as if what the target holds had been written by us."""
    unseen = item.mapper.drawn | NEVER_RETURNED
    paths = [path for path in item.mapper.paths if path not in unseen]
    kept = {path: value for path, value in link.written.items() if path not in paths}
    held = {path: found.values[path] for path in paths if path in found.values}
    for path in item.mapper.references:
        held[path] = identifier(held.get(path))
    held = {path: value for path, value in held.items() if value is not None}
    return replace(link, written=kept | held)


def _needed(item: Item, held: Link, ends: Ends) -> Iterator[Change]:
    """Yield what would be written over what the target holds."""
    references = item.mapper.references
    before = {p: v for p, v in held.written.items() if p not in references}
    try:
        yield from changes(before, item.desired.values, item.rules, creating=False)
    except MappingFault:
        return
    effect = reference(altered(item, link=held), None, ends=ends)
    for each in effect.references if effect else ():
        to = ends.resources.get(each.to, each.to) if each.to else None
        yield Change(path=each.path, before=each.before, after=to)


def _cause(desired: Any, written: Any, actual: Any) -> Cause:
    if actual is None and (written is None or same(written, desired)):
        return "never arrived"
    return "changed outside"


def _has_drifted(change: Change, written: Flat) -> bool:
    """Leave out what is on its way, and what is not ours to clear."""
    if same(change.before, change.after):
        return False
    ours = written.get(change.path)
    if ours is None:
        return change.after is not None
    return not same(change.before, ours)


def _differing(change: Change, written: Flat) -> Differing:
    ours = written.get(change.path)
    return Differing(
        path=change.path,
        desired=change.after,
        written=ours,
        actual=change.before,
        cause=_cause(change.after, ours, change.before),
    )


def _plain(item: Item, link: Link) -> Flat:
    """Return what we wrote, references as resource ids."""
    ids = {
        path: identifier(link.written[path])
        for path in item.mapper.references
        if path in link.written
    }
    return link.written | ids


def compare(
    item: Item, link: Link, found: TargetResource, ends: Ends
) -> tuple[tuple[Differing, ...], Link]:
    """Return what drifted of an object in scope, and its link as the target has it."""
    written = _plain(item, link)
    needed = _needed(item, _as_held(item, link, found), ends)
    drifted = [each for each in needed if _has_drifted(each, written)]
    found_so = [Change(path=each.path, after=each.before) for each in drifted]
    held = replace(link, written=rewritten(link.written, found_so))
    return tuple(_differing(each, written) for each in drifted), held


def compare_lost(
    row: SourceRow, mapper: Mapper, link: Link, found: TargetResource
) -> tuple[tuple[Differing, ...], Link]:
    """Return whether somebody gave access back to one whose access we took away."""
    held = replace(link, written=link.written | {ACTIVE: True})
    effect = deprovision(row, mapper, held)
    if (
        link.written.get(ACTIVE) is not False
        or found.values.get(ACTIVE) is not True
        or effect is None
        or effect.action != "disable"
    ):
        return (), link
    change = Change(path=ACTIVE, before=True, after=False)
    return (_differing(change, link.written),), held


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


async def believe(run: Run, drifted: Sequence[Drifted]) -> None:
    """Store what a batch was found to be; to find it so again changes nothing."""
    store, target = run.store, run.job.target
    links = [each.link for each in drifted if each.link is not None]
    gone = [each.drift.object for each in drifted if each.drift.kind == "missing"]
    await store.save_found(target, links, gone)
    for each in drifted:
        if each.drift.kind == "members":
            await store.keep_written(target, each.drift.object, each.present)


async def remember(run: Run, picture: str, drifted: Sequence[Drifted]) -> None:
    """Keep in the store, under this name, who drifted: it may be the whole target."""
    objects = [TargetResource(id=each.drift.object, values={}) for each in drifted]
    await run.store.save_snapshot(picture, "drifted", objects, ())
