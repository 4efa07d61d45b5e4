"""Source objects: the rows of a job as last imported, and what they still hide.

A right may hide an attribute of an existing object, which then looks as if it had been
cleared. Its value is kept until the attribute is proved empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    exists,
    func,
    select,
    true,
    update,
)

from cloudforest.adapters.store.database import (
    StorePart,
    read_batches,
    slice_values,
    transaction,
    update_batches,
)
from cloudforest.adapters.store.tables import link, membership, reference, source
from cloudforest.model.effects import Outcome
from cloudforest.model.messages import InScope
from cloudforest.model.source import KEPT_PRESENCES, Presence, SourceObject

ANCHOR_ATTRIBUTE = "ms-ds-consistencyguid"
MEMBER_ATTRIBUTE = "member"
PRESENCE_ORDER: tuple[Presence, ...] = ("gone", "out", "unknown", "in")
LINKING_ACTIONS = frozenset({"create", "adopt", "delete"})
"""The actions that make or end a link."""
SOURCE_COLUMNS = (
    *(source.c.guid, source.c.type, source.c.dn, source.c.parent, source.c.anchor),
    *(source.c.attributes, source.c.state, source.c.seen, source.c.doubted),
)


@dataclass(frozen=True)
class StoredSource:
    """A row before a page changes it; `hidden_attributes` are separated by spaces."""

    state: str
    digest: str
    settled: str | None
    seen: Sequence[str]
    hidden_attributes: str | None

    @property
    def hidden(self) -> frozenset[str]:
        return frozenset((self.hidden_attributes or "").split())


StoredSources = Mapping[str, StoredSource]
ShownValues = Mapping[str, tuple[str, ...]]
"""Values by attribute name; empty where they are unknown."""


def read_stored_sources(
    db: Connection, job: str, ids: Collection[str]
) -> StoredSources:
    row = source.c
    fields = (row.state, row.digest, row.settled, row.seen, row.doubted)
    query = select(row.guid, *fields).where(row.job == job)
    return {
        guid: StoredSource(*values)
        for guid, *values in read_batches(db, query, row.guid, ids)
    }


def is_unknown_or_hidden() -> ColumnElement[bool]:
    """Return the SQL condition: not found or may hide an attribute; read once a day."""
    return (source.c.state == "unknown") | source.c.doubted.is_not(None)


def is_in_or_unknown() -> ColumnElement[bool]:
    """Return the SQL condition: in scope, or last seen there and now not found."""
    return source.c.state.in_(("in", "unknown"))


def is_out_or_gone() -> ColumnElement[bool]:
    """Return the SQL condition: proved to be out of scope or gone."""
    return source.c.state.in_(("out", "gone"))


def is_linked(target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(link.c.target == target, link.c.guid == guid)


def is_present(target: str) -> ColumnElement[bool]:
    """Return the SQL condition: in scope, or unknown and linked (not to be created)."""
    linked = is_linked(target, source.c.guid)
    return (source.c.state == "in") | ((source.c.state == "unknown") & linked)


def is_evaluated(target: str) -> ColumnElement[bool]:
    """Return the SQL condition: present, or out or gone and still linked."""
    left = is_out_or_gone() & is_linked(target, source.c.guid)
    return is_present(target) | left


def hidden_attributes_text(record: InScope, shown_before: ShownValues) -> str | None:
    """Return the names that it showed before and does not show now, or None."""
    return " ".join(name for name in record.missing if name in shown_before) or None


def keep_hidden_values(record: InScope, shown_before: ShownValues) -> InScope:
    """Return the record with the values that it may hide; memberships have own rows."""
    names = (hidden_attributes_text(record, shown_before) or "").split()
    values = {name: shown_before[name] for name in names if name != MEMBER_ATTRIBUTE}
    kept = {name: tuple(value) for name, value in values.items() if value}
    if not kept:
        return record
    anchor = kept.get(ANCHOR_ATTRIBUTE, (record.anchor,))[0]
    return replace(record, anchor=anchor, attributes={**record.attributes, **kept})


def read_hidden_attributes(
    db: Connection, job: str, ids: Collection[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the objects that may hide attributes, with the names of these."""
    row = source.c
    query = select(row.guid, row.doubted).where(
        row.job == job, row.doubted.is_not(None)
    )
    for guid, names in read_batches(db, query, row.guid, ids):
        yield guid, frozenset((names or "").split())


def _read_groups_with_members(
    db: Connection, job: str, ids: Collection[str]
) -> frozenset[str]:
    """Return which of the groups have shown members."""
    row = membership.c
    shown = select(row.group_guid).where(row.job == job, row.wanted == true())
    rows = read_batches(db, shown.distinct(), row.group_guid, ids)
    return frozenset(guid for (guid,) in rows)


def read_shown_before(
    db: Connection,
    job: str,
    possibly_hiding: Sequence[InScope],
    *,
    before: StoredSources,
    changed: Collection[str],
) -> dict[str, ShownValues]:
    """Return what the objects that may hide something showed before.

    Previous values are unknown for linked objects that this job did not hold: they may
    have shown anything. A group without members looks the same whatever it hides.
    """
    held = {i: old for i, old in before.items() if old.state in KEPT_PRESENCES}
    row = source.c
    query = select(row.guid, row.attributes).where(row.job == job, is_in_or_unknown())
    shown: dict[str, ShownValues] = dict(read_batches(db, query, row.guid, changed))
    groups = [
        each.id
        for each in possibly_hiding
        if each.id in held and MEMBER_ATTRIBUTE in each.missing
    ]
    for id_ in _read_groups_with_members(db, job, groups):
        shown[id_] = {**shown.get(id_, {}), MEMBER_ATTRIBUTE: ()}
    not_held = [each.id for each in possibly_hiding if each.id not in held]
    in_any_target = read_batches(db, select(link.c.guid), link.c.guid, not_held)
    linked = {guid for (guid,) in in_any_target}
    for each in possibly_hiding:
        old = held.get(each.id)
        names = old.hidden if old else each.missing
        if names and (old or each.id in linked):
            shown[each.id] = {**dict.fromkeys(names, ()), **shown.get(each.id, {})}
    return shown


def unsettle_objects(
    db: Connection, ids: Iterable[str], *, cycle: str | None = None
) -> None:
    """Make every job evaluate the objects again.

    Objects that `cycle` has evaluated, and will write, are left to it.
    """
    settled = update(source).where(source.c.settled != (cycle or ""))
    update_batches(db, settled.values(settled=None), source.c.guid, ids)


def find_referrers(db: Connection, ids: Iterable[str]) -> list[str]:
    query = select(reference.c.guid).distinct()
    return [guid for (guid,) in read_batches(db, query, reference.c.to_guid, ids)]


def unsettle_written(db: Connection, cycle: str, outcomes: Iterable[Outcome]) -> None:
    """Make other jobs evaluate what a cycle wrote, and all objects that refer to it."""
    done = [each for each in outcomes if each.state == "done"]
    changed = [each.effect.id for each in done if each.effect.action in LINKING_ACTIONS]
    written = [each.effect.id for each in done if each.link is not None]
    ids = [*written, *changed, *find_referrers(db, changed)]
    unsettle_objects(db, ids, cycle=cycle)


def _to_source_object(row: RowMapping) -> SourceObject:
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
        db: Connection,
        job: str,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceObject]:
        is_due = is_evaluated(target)
        if settled is not None:
            is_due &= source.c.settled.is_distinct_from(settled)
        query = (
            select(*SOURCE_COLUMNS)
            .where(source.c.job == job, source.c.guid > after, is_due)
            .order_by(source.c.guid)
            .limit(limit)
        )
        return [_to_source_object(row) for row in db.execute(query).mappings()]

    @transaction
    def load_source_object(
        self, db: Connection, job: str, object_guid: str
    ) -> SourceObject | None:
        query = select(*SOURCE_COLUMNS).where(
            source.c.job == job, source.c.guid == object_guid
        )
        row = db.execute(query).mappings().first()
        return _to_source_object(row) if row else None

    @transaction
    def find_known_objects(
        self, db: Connection, job: str, target: str, ids: Sequence[str]
    ) -> frozenset[str]:
        known: set[str] = set()
        for batch in slice_values(ids):
            in_scope = select(source.c.guid).where(
                source.c.job == job, source.c.guid.in_(batch), source.c.state == "in"
            )
            linked = select(link.c.guid).where(
                link.c.target == target, link.c.guid.in_(batch)
            )
            known.update(db.scalars(in_scope.union(linked)))
        return frozenset(known)

    @transaction
    def list_unknown_objects(
        self, db: Connection, job: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        is_unknown = (source.c.job == job, is_unknown_or_hidden())
        first = select(source.c.guid).where(*is_unknown).order_by(source.c.guid)
        count = select(func.count()).select_from(source).where(*is_unknown)
        return db.scalars(count).one(), tuple(db.scalars(first.limit(limit)))

    @transaction
    def load_presences(
        self, db: Connection, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        presences: dict[str, Presence] = {}
        query = select(source.c.guid, source.c.state).where(source.c.job.in_(jobs))
        for guid, state in read_batches(db, query, source.c.guid, ids):
            pair = (presences.get(guid, "gone"), state)
            presences[guid] = max(pair, key=PRESENCE_ORDER.index)
        return presences
