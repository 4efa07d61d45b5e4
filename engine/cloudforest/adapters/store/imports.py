"""Imports: pages, watermarks, and inquiries.

An inquiry is an object that must be read by objectGUID before it is evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import (
    Connection,
    Select,
    and_,
    delete,
    exists,
    literal,
    select,
    true,
    update,
)

from cloudforest.adapters.store.database import (
    MAX_IN_LIST,
    StorePart,
    delete_batches,
    dialect_insert,
    encode_json,
    slice_values,
    transaction,
    update_batches,
    upsert,
)
from cloudforest.adapters.store.memberships import (
    drop_unseen_members,
    find_groups_of_deleted,
)
from cloudforest.adapters.store.records import (
    PageRecords,
    save_records,
    save_scope_members,
    sort_records,
)
from cloudforest.adapters.store.sources import (
    StoredSources,
    is_in_or_unknown,
    is_linked,
    is_out_or_gone,
    is_unknown_or_hidden,
    read_hidden_attributes,
    read_stored_sources,
)
from cloudforest.adapters.store.tables import (
    inquiry,
    membership,
    reference,
    scope_member,
    source,
    watermark,
)
from cloudforest.model.cycles import ImportEnd, Watermark
from cloudforest.model.messages import InScope, Record

decode_watermark = msgspec.json.Decoder(Watermark).decode


def _insert_inquiries(db: Connection, job: str, ids: Sequence[str]) -> None:
    upsert(db, inquiry, [{"job": job, "guid": each} for each in dict.fromkeys(ids)])


def _inquire_selected(db: Connection, job: str, guids: Select[str]) -> None:
    query = select(literal(job), guids.subquery().c[0]).where(true())
    statement = dialect_insert(db, inquiry).from_select(["job", "guid"], query)
    db.execute(statement.on_conflict_do_nothing())


def _select_unnamed(job: str, generation: int) -> Select[str]:
    """Select the rows that are in or unknown and that this import did not name."""
    return select(source.c.guid).where(
        source.c.job == job, is_in_or_unknown(), source.c.generation < generation
    )


def _inquire_groups(db: Connection, job: str, page: PageRecords) -> None:
    """Inquire about the groups of objects that were deleted and are back in scope.

    A tombstone has lost its memberships, and the recycle bin restores them. A delta
    names the groups in neither case.
    """
    in_scope = [id_ for id_, each in page.objects.items() if isinstance(each, InScope)]
    _insert_inquiries(db, job, find_groups_of_deleted(db, job, in_scope))


def _inquire_after_page(
    db: Connection, job: str, generation: int, page: PageRecords, before: StoredSources
) -> None:
    """Store the inquiries that a page of an import leaves open, and end others.

    The objects that it names are not asked for again. Groups that enter the scope are,
    because a delta names only some of their members.
    """
    groups = page.groups_in_scope()
    named = sorted(page.objects.keys() - set(groups))
    delete_batches(db, inquiry.c.guid, named, job=job)
    entering = [
        each for each in groups if each not in before or before[each].state != "in"
    ]
    newly_hiding = [
        id_
        for id_, names in read_hidden_attributes(db, job, page.objects)
        if id_ not in before or not names <= before[id_].hidden
    ]
    _insert_inquiries(db, job, [*page.unknown, *entering, *newly_hiding])
    _inquire_groups(db, job, page)
    for batch in slice_values(page.moved_containers):
        inside = _select_unnamed(job, generation).where(source.c.parent.in_(batch))
        _inquire_selected(db, job, inside)


def _inquire_scope_members(
    db: Connection, job: str, generation: int, end: ImportEnd
) -> None:
    """Inquire about objects that entered or left the scope's groups."""
    member = scope_member.c
    if not end.is_initial:
        row = (source.c.job == job, source.c.guid == member.guid)
        named = exists().where(*row, source.c.generation == generation)
        new = (member.job == job, member.entered == true(), ~named)
        entered = select(member.guid).where(*new)
        _inquire_selected(db, job, entered)
    db.execute(update(scope_member).where(member.job == job).values(entered=False))
    if not (end.has_scope_members or end.is_initial):
        return
    left = and_(member.job == job, member.generation < generation)
    was_member = source.c.guid.in_(select(member.guid).where(left))
    _inquire_selected(db, job, _select_unnamed(job, generation).where(was_member))
    db.execute(delete(scope_member).where(left))


def _inquire_unnamed(db: Connection, job: str, generation: int, end: ImportEnd) -> None:
    """Inquire about objects that a full read did not name.

    Groups that it named need no inquiry, unless they may hide something.
    """
    of_type = source.c.type.in_(end.fully_read_types)
    _inquire_selected(db, job, _select_unnamed(job, generation).where(of_type))
    if "group" not in end.fully_read_types:
        return
    named = select(source.c.guid).where(
        source.c.job == job,
        source.c.type == "group",
        source.c.generation == generation,
        source.c.doubted.is_(None),
    )
    db.execute(delete(inquiry).where(inquiry.c.job == job, inquiry.c.guid.in_(named)))
    if end.has_all_members:
        drop_unseen_members(db, job, generation)


def _inquire_after_import(
    db: Connection, job: str, target: str, generation: int, end: ImportEnd
) -> None:
    """Store the inquiries that a finished import leaves open."""
    if end.fully_read_types:
        _inquire_unnamed(db, job, generation, end)
    _inquire_scope_members(db, job, generation, end)
    unnamed = _select_unnamed(job, generation)
    if end.inquire_about == "managed":
        linked = is_linked(target, source.c.guid)
        _inquire_selected(db, job, unnamed.where(linked))
    if end.inquire_about != "nobody":
        _inquire_selected(db, job, unnamed.where(is_unknown_or_hidden()))


def _save_watermark(db: Connection, job: str, value: Watermark) -> None:
    db.execute(
        update(watermark).where(watermark.c.job == job).values(body=encode_json(value))
    )


def delete_sources(db: Connection, job: str, ids: Sequence[str]) -> None:
    for guid in (source.c.guid, membership.c.group_guid, reference.c.guid):
        delete_batches(db, guid, ids, job=job)


def _delete_selected(db: Connection, job: str, query: Select[str]) -> None:
    """Delete, in batches, the source rows that the query selects."""
    batch = query.limit(MAX_IN_LIST)
    while ids := db.scalars(batch).all():
        delete_sources(db, job, ids)


def _save_records(
    db: Connection, job: str, generation: int, records: Sequence[Record]
) -> tuple[PageRecords, StoredSources]:
    """Store the records; return them by kind, and the rows as they were before."""
    page = sort_records(records)
    before = read_stored_sources(db, job, page.objects)
    save_records(db, job, generation, page, before)
    return page, before


class Imports(StorePart):
    @transaction
    def load_watermark(self, db: Connection, job: str) -> Watermark | None:
        query = select(watermark.c.body).where(watermark.c.job == job)
        body = db.scalar(query)
        return decode_watermark(body) if body else None

    @transaction
    def begin_import(self, db: Connection, job: str) -> int:
        query = select(watermark.c.generation).where(watermark.c.job == job)
        generation = (db.scalar(query) or 0) + 1
        row = {"job": job, "generation": generation, "body": None}
        upsert(db, watermark, [row], keep=("body",))
        return generation

    @transaction
    def save_page(
        self,
        db: Connection,
        job: str,
        generation: int,
        records: Sequence[Record],
        cursor: Watermark | None,
    ) -> None:
        page, before = _save_records(db, job, generation, records)
        save_scope_members(db, job, generation, page.scope_members)
        _inquire_after_page(db, job, generation, page, before)
        if cursor is not None:
            _save_watermark(db, job, cursor)

    @transaction
    def finish_import(
        self, db: Connection, job: str, target: str, generation: int, end: ImportEnd
    ) -> None:
        if end.is_initial:
            other_types = source.c.type.not_in(end.fully_read_types)
            query = select(source.c.guid).where(source.c.job == job, other_types)
            _delete_selected(db, job, query)
        _inquire_after_import(db, job, target, generation, end)
        _save_watermark(db, job, end.watermark)

    @transaction
    def forget_unlinked(self, db: Connection, job: str, target: str) -> None:
        row = source.c
        left = (row.job == job, is_out_or_gone(), ~is_linked(target, row.guid))
        _delete_selected(db, job, select(row.guid).where(*left))

    @transaction
    def add_inquiries(self, db: Connection, job: str, ids: Sequence[str]) -> None:
        _insert_inquiries(db, job, ids)

    @transaction
    def list_inquiries(self, db: Connection, job: str, limit: int) -> list[str]:
        query = select(inquiry.c.guid).where(inquiry.c.job == job)
        return list(db.scalars(query.order_by(inquiry.c.guid).limit(limit)))

    @transaction
    def find_hidden_attributes(
        self, db: Connection, job: str, ids: Sequence[str]
    ) -> frozenset[str]:
        hidden = read_hidden_attributes(db, job, ids)
        return frozenset[str]().union(*(names for _, names in hidden))

    @transaction
    def save_answers(
        self, db: Connection, job: str, generation: int, records: Sequence[Record]
    ) -> None:
        page, _ = _save_records(db, job, generation, records)
        _inquire_groups(db, job, page)

    @transaction
    def close_inquiries(
        self,
        db: Connection,
        job: str,
        generation: int,
        ids: Sequence[str],
        *,
        complete: bool,
        proven_clear: Sequence[str] = (),
    ) -> None:
        row = source.c
        not_found = (row.job == job, row.state == "in", row.generation < generation)
        statement = update(source).where(*not_found)
        statement = statement.values(state="unknown", settled=None)
        update_batches(db, statement, row.guid, ids)
        if complete:
            drop_unseen_members(db, job, generation)
        delete_batches(db, inquiry.c.guid, ids, job=job)
        hidden = read_hidden_attributes(db, job, ids)
        unproven = [id_ for id_, names in hidden if not names <= set(proven_clear)]
        _insert_inquiries(db, job, unproven)
