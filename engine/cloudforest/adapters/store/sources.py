"""Values that an object no longer shows: kept until they are proved to be gone.

A right may hide an attribute of a living person, who then looks as if it had been
cleared: what we wrote must not be blanked for that.

What the rows of a page were before it.

What the directory last said of an object, in SQL: who counts, and for what.

Source rows: the objects of a job as last imported.

Settled rows: those that needed nothing when they were last evaluated.

Which of the jobs of a target holds an object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from cloudforest.adapters.store.database import Part, slices
from cloudforest.adapters.store.tables import link, membership, reference, source
from cloudforest.model.effects import Outcome
from cloudforest.model.messages import InScope
from cloudforest.model.source import Presence, SourceRow


@dataclass(frozen=True)
class Before:
    """What a row was before a page."""

    state: str
    digest: str
    settled: str | None
    seen: Sequence[str]
    doubted: str | None


Stored = Mapping[str, Before]


def stored(connection: Connection, job: str, ids: Collection[str]) -> Stored:
    """Return what there is already of the objects."""
    columns = source.c
    said = (columns.state, columns.digest, columns.settled)
    kept = (*said, columns.seen, columns.doubted)
    return {
        guid: Before(*rest)
        for some in slices(ids)
        for guid, *rest in connection.execute(
            select(columns.guid, *kept).where(
                columns.job == job, columns.guid.in_(some)
            )
        )
    }


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


def is_held() -> ColumnElement[bool]:
    """Say in SQL: in scope, or last seen there and now not found."""
    return source.c.state.in_(("in", "unknown"))


def has_left() -> ColumnElement[bool]:
    """Say in SQL: proved to be out of scope or gone."""
    return source.c.state.in_(("out", "gone"))


def is_linked(target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(link.c.target == target, link.c.guid == guid)


def is_present(target: str) -> ColumnElement[bool]:
    """Say in SQL: in scope; or unknown, while linked: nobody is created for that."""
    linked = is_linked(target, source.c.guid)
    return or_(source.c.state == "in", and_(source.c.state == "unknown", linked))


def is_looked_at(target: str) -> ColumnElement[bool]:
    """Say in SQL: an evaluation looks at the row: present, or left and still linked."""
    left = and_(has_left(), is_linked(target, source.c.guid))
    return or_(is_present(target), left)


def known(job: str, target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    """Say in SQL: in scope of the job, or linked."""
    in_scope = exists().where(
        source.c.job == job, source.c.guid == guid, source.c.state == "in"
    )
    return or_(in_scope, is_linked(target, guid))


COLUMNS = (
    source.c.guid,
    source.c.type,
    source.c.dn,
    source.c.parent,
    source.c.anchor,
    source.c.attributes,
    source.c.state,
    source.c.seen,
    source.c.doubted,
)


def read_row(row: RowMapping) -> SourceRow:
    return SourceRow(
        id=row["guid"],
        type=row["type"],
        dn=row["dn"],
        parent=row["parent"],
        anchor=row["anchor"],
        attributes={name: tuple(values) for name, values in row["attributes"].items()},
        state=row["state"],
        seen=tuple(row["seen"]),
        doubted=tuple((row["doubted"] or "").split()),
    )


class Sources(Part):
    async def sources(
        self,
        job: str,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceRow]:
        counts = is_looked_at(target)
        if settled is not None:
            counts &= source.c.settled.is_distinct_from(settled)
        query = (
            select(*COLUMNS)
            .where(source.c.job == job, source.c.guid > after, counts)
            .order_by(source.c.guid)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [
                read_row(row) for row in connection.execute(query).mappings()
            ]
        )

    async def source(self, job: str, id: str) -> SourceRow | None:  # noqa: A002 - the port's word
        query = select(*COLUMNS).where(source.c.job == job, source.c.guid == id)

        def work(connection: Connection) -> SourceRow | None:
            row = connection.execute(query).mappings().first()
            return read_row(row) if row else None

        return await self.database.run(work)

    async def known(self, job: str, target: str, ids: Sequence[str]) -> frozenset[str]:
        def work(connection: Connection) -> frozenset[str]:
            found: set[str] = set()
            for some in slices(ids):
                in_scope = select(source.c.guid).where(
                    source.c.job == job,
                    source.c.guid.in_(some),
                    source.c.state == "in",
                )
                linked = select(link.c.guid).where(
                    link.c.target == target, link.c.guid.in_(some)
                )
                found.update(connection.execute(in_scope.union(linked)).scalars())
            return frozenset(found)

        return await self.database.run(work)

    async def unknown_objects(
        self, job: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        unknown = (source.c.job == job, is_unknown())
        first = select(source.c.guid).where(*unknown).order_by(source.c.guid)

        def work(connection: Connection) -> tuple[int, tuple[str, ...]]:
            count = select(func.count()).select_from(source).where(*unknown)
            return (
                connection.execute(count).scalar_one(),
                tuple(connection.execute(first.limit(limit)).scalars()),
            )

        return await self.database.run(work)


LINKING = frozenset({"create", "adopt", "delete"})
"""The actions that make a link, or end it."""


def unsettle(
    connection: Connection, ids: Iterable[str], *, cycle: str | None = None
) -> None:
    """Have the objects evaluated again, by every job.

    Those that `cycle` has evaluated, and is about to write, are left to it.
    """
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.guid.in_(some), source.c.settled != (cycle or ""))
            .values(settled=None)
        )


def referrers(connection: Connection, ids: Iterable[str]) -> list[str]:
    return [
        guid
        for some in slices(ids)
        for guid in connection.execute(
            select(reference.c.guid).where(reference.c.to_guid.in_(some)).distinct()
        ).scalars()
    ]


def unsettle_written(
    connection: Connection, cycle: str, outcomes: Iterable[Outcome]
) -> None:
    """Have others look again at what a cycle wrote, and at those who refer to it."""
    done = [each for each in outcomes if each.state == "done"]
    changed = [each.effect.id for each in done if each.effect.action in LINKING]
    written = [each.effect.id for each in done if each.link is not None]
    ids = [*written, *changed, *referrers(connection, changed)]
    unsettle(connection, ids, cycle=cycle)


STRONGEST_LAST: tuple[Presence, ...] = ("gone", "out", "unknown", "in")


class Holdings(Part):
    async def presences(
        self, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        def work(connection: Connection) -> dict[str, Presence]:
            found: dict[str, Presence] = {}
            for some in slices(ids):
                query = select(source.c.guid, source.c.state).where(
                    source.c.job.in_(jobs), source.c.guid.in_(some)
                )
                for guid, state in connection.execute(query):
                    pair = (found.get(guid, "gone"), state)
                    found[guid] = max(pair, key=STRONGEST_LAST.index)
            return found

        return await self.database.run(work)
