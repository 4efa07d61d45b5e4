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

from cloudforest.adapters.store.database import StorePart, slice_values, transaction
from cloudforest.adapters.store.tables import link, membership, reference, source
from cloudforest.model.effects import Outcome
from cloudforest.model.messages import InScope
from cloudforest.model.source import Presence, SourceObject


@dataclass(frozen=True)
class StoredSource:
    """What a row was before a page."""

    state: str
    digest: str
    settled: str | None
    seen: Sequence[str]
    hidden_attributes: str | None


StoredSources = Mapping[str, StoredSource]


def read_stored_sources(
    connection: Connection, job: str, ids: Collection[str]
) -> StoredSources:
    """Return what there is already of the objects."""
    columns = source.c
    said = (columns.state, columns.digest, columns.settled)
    kept = (*said, columns.seen, columns.doubted)
    return {
        guid: StoredSource(*rest)
        for some in slice_values(ids)
        for guid, *rest in connection.execute(
            select(columns.guid, *kept).where(
                columns.job == job, columns.guid.in_(some)
            )
        )
    }


ANCHOR_ATTRIBUTE = "ms-ds-consistencyguid"
MEMBER_ATTRIBUTE = "member"

ShownValues = Mapping[str, tuple[str, ...]]
"""Values by name; none where nobody knows what they were."""


def is_unknown_or_hidden() -> ColumnElement[bool]:
    """Say in SQL: not found, or shows less than before; asked for again once a day."""
    return or_(source.c.state == "unknown", source.c.doubted.is_not(None))


def _read_shown_values(
    connection: Connection, job: str, ids: Collection[str]
) -> dict[str, ShownValues]:
    """Return what objects that are held showed before."""
    held = source.c.state.in_(("in", "unknown"))
    columns = (source.c.guid, source.c.attributes)
    return {
        guid: attributes
        for some in slice_values(ids)
        for guid, attributes in connection.execute(
            select(*columns).where(source.c.job == job, source.c.guid.in_(some), held)
        )
    }


def _read_linked(connection: Connection, ids: Collection[str]) -> frozenset[str]:
    """Return those that have a resource, in whatever target."""
    found: set[str] = set()
    for some in slice_values(ids):
        found.update(
            connection.scalars(select(link.c.guid).where(link.c.guid.in_(some)))
        )
    return frozenset(found)


def _read_groups_with_members(
    connection: Connection, job: str, ids: Collection[str]
) -> frozenset[str]:
    """Return those of the groups that have shown members."""
    found: set[str] = set()
    for some in slice_values(ids):
        row = membership.c
        wanted = select(row.group_guid).where(
            row.job == job, row.group_guid.in_(some), row.wanted == true()
        )
        found.update(connection.scalars(wanted.distinct()))
    return frozenset(found)


def hidden_attributes_text(record: InScope, shown_before: ShownValues) -> str | None:
    """Name what it showed before and does not show now; None: nothing."""
    return " ".join(name for name in record.missing if name in shown_before) or None


def keep_hidden_values(record: InScope, shown_before: ShownValues) -> InScope:
    """Return an object with what it showed before and nothing proves to be gone.

    Memberships are kept as rows of their own.
    """
    names = (hidden_attributes_text(record, shown_before) or "").split()
    values = {name: shown_before[name] for name in names if name != MEMBER_ATTRIBUTE}
    kept = {name: tuple(value) for name, value in values.items() if value}
    if not kept:
        return record
    anchor = kept.get(ANCHOR_ATTRIBUTE, (record.anchor,))[0]
    return replace(record, anchor=anchor, attributes={**record.attributes, **kept})


def read_hidden_attributes(
    connection: Connection, job: str, ids: Collection[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the objects of which something is doubted, and what."""
    columns = (source.c.guid, source.c.doubted)
    for some in slice_values(ids):
        of_these = select(*columns).where(
            source.c.job == job, source.c.guid.in_(some), source.c.doubted.is_not(None)
        )
        for guid, names in connection.execute(of_these):
            yield guid, frozenset(names.split())


def find_unproven(
    connection: Connection, job: str, ids: Collection[str], proven: Sequence[str]
) -> list[str]:
    """Return those of which more is doubted than was asked for."""
    known = frozenset(proven)
    return [
        id_
        for id_, names in read_hidden_attributes(connection, job, ids)
        if not names <= known
    ]


def read_shown_before(
    connection: Connection,
    job: str,
    possibly_hiding: Sequence[InScope],
    *,
    before: StoredSources,
    changed: Collection[str],
) -> dict[str, ShownValues]:
    """Return what those showed before who may hide something now.

    Nobody knows it of a linked object that the job did not hold: it may be anything. A
    group without members looks as before whatever it hides.
    """
    there = {i: old for i, old in before.items() if old.state in {"in", "unknown"}}
    held = _read_shown_values(connection, job, changed)
    groups = [
        each.id
        for each in possibly_hiding
        if each.id in there and MEMBER_ATTRIBUTE in each.missing
    ]
    for id_ in _read_groups_with_members(connection, job, groups):
        held[id_] = {**held.get(id_, {}), MEMBER_ATTRIBUTE: ()}
    new = _read_linked(
        connection, [each.id for each in possibly_hiding if each.id not in there]
    )
    for each in possibly_hiding:
        old = there.get(each.id)
        names = (old.hidden_attributes or "").split() if old else each.missing
        if names and (old or each.id in new):
            held[each.id] = {**dict.fromkeys(names, ()), **held.get(each.id, {})}
    return held


def is_in_or_unknown() -> ColumnElement[bool]:
    """Say in SQL: in scope, or last seen there and now not found."""
    return source.c.state.in_(("in", "unknown"))


def is_out_or_gone() -> ColumnElement[bool]:
    """Say in SQL: proved to be out of scope or gone."""
    return source.c.state.in_(("out", "gone"))


def is_linked(target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(link.c.target == target, link.c.guid == guid)


def is_present(target: str) -> ColumnElement[bool]:
    """Say in SQL: in scope; or unknown, while linked: nobody is created for that."""
    linked = is_linked(target, source.c.guid)
    return or_(source.c.state == "in", and_(source.c.state == "unknown", linked))


def is_evaluated(target: str) -> ColumnElement[bool]:
    """Say in SQL: an evaluation looks at the row: present, or left and still linked."""
    left = and_(is_out_or_gone(), is_linked(target, source.c.guid))
    return or_(is_present(target), left)


def known(job: str, target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    """Say in SQL: in scope of the job, or linked."""
    in_scope = exists().where(
        source.c.job == job, source.c.guid == guid, source.c.state == "in"
    )
    return or_(in_scope, is_linked(target, guid))


SOURCE_COLUMNS = (
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


def read_source(row: RowMapping) -> SourceObject:
    return SourceObject(
        object_guid=row["guid"],
        type=row["type"],
        dn=row["dn"],
        parent=row["parent"],
        source_anchor=row["anchor"],
        attributes={name: tuple(values) for name, values in row["attributes"].items()},
        presence=row["state"],
        shown=tuple(row["seen"]),
        hidden=tuple((row["doubted"] or "").split()),
    )


class Sources(StorePart):
    @transaction
    def list_source_objects(
        self,
        connection: Connection,
        job: str,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceObject]:
        counts = is_evaluated(target)
        if settled is not None:
            counts &= source.c.settled.is_distinct_from(settled)
        query = (
            select(*SOURCE_COLUMNS)
            .where(source.c.job == job, source.c.guid > after, counts)
            .order_by(source.c.guid)
            .limit(limit)
        )
        return [read_source(row) for row in connection.execute(query).mappings()]

    @transaction
    def load_source_object(
        self, connection: Connection, job: str, object_guid: str
    ) -> SourceObject | None:
        query = select(*SOURCE_COLUMNS).where(
            source.c.job == job, source.c.guid == object_guid
        )

        row = connection.execute(query).mappings().first()
        return read_source(row) if row else None

    @transaction
    def find_known_objects(
        self, connection: Connection, job: str, target: str, ids: Sequence[str]
    ) -> frozenset[str]:
        found: set[str] = set()
        for some in slice_values(ids):
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

    @transaction
    def list_unknown_objects(
        self, connection: Connection, job: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        unknown = (source.c.job == job, is_unknown_or_hidden())
        first = select(source.c.guid).where(*unknown).order_by(source.c.guid)

        count = select(func.count()).select_from(source).where(*unknown)
        return (
            connection.execute(count).scalar_one(),
            tuple(connection.execute(first.limit(limit)).scalars()),
        )


LINKING_ACTIONS = frozenset({"create", "adopt", "delete"})
"""The actions that make a link, or end it."""


def unsettle_objects(
    connection: Connection, ids: Iterable[str], *, cycle: str | None = None
) -> None:
    """Have the objects evaluated again, by every job.

    Those that `cycle` has evaluated, and is about to write, are left to it.
    """
    for some in slice_values(ids):
        connection.execute(
            update(source)
            .where(source.c.guid.in_(some), source.c.settled != (cycle or ""))
            .values(settled=None)
        )


def find_referrers(connection: Connection, ids: Iterable[str]) -> list[str]:
    return [
        guid
        for some in slice_values(ids)
        for guid in connection.execute(
            select(reference.c.guid).where(reference.c.to_guid.in_(some)).distinct()
        ).scalars()
    ]


def unsettle_written(
    connection: Connection, cycle: str, outcomes: Iterable[Outcome]
) -> None:
    """Have others look again at what a cycle wrote, and at those who refer to it."""
    done = [each for each in outcomes if each.state == "done"]
    changed = [each.effect.id for each in done if each.effect.action in LINKING_ACTIONS]
    written = [each.effect.id for each in done if each.link is not None]
    ids = [*written, *changed, *find_referrers(connection, changed)]
    unsettle_objects(connection, ids, cycle=cycle)


PRESENCE_ORDER: tuple[Presence, ...] = ("gone", "out", "unknown", "in")


class Presences(StorePart):
    @transaction
    def load_presences(
        self, connection: Connection, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        found: dict[str, Presence] = {}
        for some in slice_values(ids):
            query = select(source.c.guid, source.c.state).where(
                source.c.job.in_(jobs), source.c.guid.in_(some)
            )
            for guid, state in connection.execute(query):
                pair = (found.get(guid, "gone"), state)
                found[guid] = max(pair, key=PRESENCE_ORDER.index)
        return found
