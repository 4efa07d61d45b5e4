"""Values that an object no longer shows: kept until they are proved to be gone.

A right may hide an attribute of a living person, who then looks as if it had been
cleared: what we wrote must not be blanked for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, or_, select, true

from cloudforest.adapters.store.provisioning.part import slices
from cloudforest.adapters.store.provisioning.sources.before import Stored
from cloudforest.adapters.store.tables import link, membership, source
from cloudforest.model.messages import InScope

ANCHOR = "ms-ds-consistencyguid"
MEMBER = "member"

Held = Mapping[str, tuple[str, ...]]
"""Values by name; none where nobody knows what they were."""


def is_unknown() -> ColumnElement[bool]:
    """Say in SQL: not found, or shows less than before; asked for again once a day."""
    return or_(source.c.state == "unknown", source.c.doubted.is_not(None))


def _values(connection: Connection, job: str, ids: Collection[str]) -> dict[str, Held]:
    """Return what objects that are held showed before."""
    held = source.c.state.in_(("in", "unknown"))
    columns = (source.c.guid, source.c.attributes)
    return {
        guid: attributes
        for some in slices(ids)
        for guid, attributes in connection.execute(
            select(*columns).where(source.c.job == job, source.c.guid.in_(some), held)
        )
    }


def _linked(connection: Connection, ids: Collection[str]) -> frozenset[str]:
    """Return those that have a resource, in whatever target."""
    found: set[str] = set()
    for some in slices(ids):
        found.update(
            connection.scalars(select(link.c.guid).where(link.c.guid.in_(some)))
        )
    return frozenset(found)


def _with_members(
    connection: Connection, job: str, ids: Collection[str]
) -> frozenset[str]:
    """Return those of the groups that have shown members."""
    found: set[str] = set()
    for some in slices(ids):
        row = membership.c
        wanted = select(row.group_guid).where(
            row.job == job, row.group_guid.in_(some), row.wanted == true()
        )
        found.update(connection.scalars(wanted.distinct()))
    return frozenset(found)


def doubted(record: InScope, held: Held) -> str | None:
    """Name what it showed before and does not show now; None: nothing."""
    return " ".join(name for name in record.missing if name in held) or None


def with_kept(record: InScope, held: Held) -> InScope:
    """Return an object with what it showed before and nothing proves to be gone.

    Memberships are kept as rows of their own.
    """
    names = (doubted(record, held) or "").split()
    values = {name: held[name] for name in names if name != MEMBER}
    kept = {name: tuple(value) for name, value in values.items() if value}
    if not kept:
        return record
    anchor = kept.get(ANCHOR, (record.anchor,))[0]
    return replace(record, anchor=anchor, attributes={**record.attributes, **kept})


def doubts(
    connection: Connection, job: str, ids: Collection[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the objects of which something is doubted, and what."""
    columns = (source.c.guid, source.c.doubted)
    for some in slices(ids):
        of_these = select(*columns).where(
            source.c.job == job, source.c.guid.in_(some), source.c.doubted.is_not(None)
        )
        for guid, names in connection.execute(of_these):
            yield guid, frozenset(names.split())


def unproved(
    connection: Connection, job: str, ids: Collection[str], asked: Sequence[str]
) -> list[str]:
    """Return those of which more is doubted than was asked for."""
    known = frozenset(asked)
    return [id_ for id_, names in doubts(connection, job, ids) if not names <= known]


def held_before(
    connection: Connection,
    job: str,
    bare: Sequence[InScope],
    *,
    before: Stored,
    changed: Collection[str],
) -> dict[str, Held]:
    """Return what those showed before who may hide something now.

    Nobody knows it of a linked object that the job did not hold: it may be anything. A
    group without members looks as before whatever it hides.
    """
    there = {i: old for i, old in before.items() if old.state in {"in", "unknown"}}
    held = _values(connection, job, changed)
    groups = [each.id for each in bare if each.id in there and MEMBER in each.missing]
    for id_ in _with_members(connection, job, groups):
        held[id_] = {**held.get(id_, {}), MEMBER: ()}
    new = _linked(connection, [each.id for each in bare if each.id not in there])
    for each in bare:
        old = there.get(each.id)
        names = (old.doubted or "").split() if old else each.missing
        if names and (old or each.id in new):
            held[each.id] = {**dict.fromkeys(names, ()), **held.get(each.id, {})}
    return held
