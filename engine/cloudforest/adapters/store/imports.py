"""Imports: generations, pages with their cursors, and watermarks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Select, delete, select, update

from cloudforest.adapters.store.database import (
    MAX_IN_LIST,
    StorePart,
    encode_json,
    execute_batches,
    transaction,
    upsert,
)
from cloudforest.adapters.store.inquiries import (
    inquire_after_import,
    inquire_after_page,
)
from cloudforest.adapters.store.records import (
    save_records,
    save_scope_members,
    sort_records,
)
from cloudforest.adapters.store.sources import (
    is_linked,
    is_out_or_gone,
    read_stored_sources,
)
from cloudforest.adapters.store.tables import membership, reference, source, watermark
from cloudforest.model.cycles import ImportEnd, Watermark
from cloudforest.model.messages import Record

decode_watermark = msgspec.json.Decoder(Watermark).decode


def save_watermark(db: Connection, job: str, value: Watermark) -> None:
    db.execute(
        update(watermark).where(watermark.c.job == job).values(body=encode_json(value))
    )


def delete_sources(db: Connection, job: str, ids: Sequence[str]) -> None:
    for guid in (source.c.guid, membership.c.group_guid, reference.c.guid):
        execute_batches(
            db, delete(guid.table).where(guid.table.c.job == job), guid, ids
        )


def _delete_selected(db: Connection, job: str, query: Select[str]) -> None:
    """Delete, in batches, the source rows that the query selects."""
    batch = query.limit(MAX_IN_LIST)
    while ids := db.scalars(batch).all():
        delete_sources(db, job, ids)


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
        page = sort_records(records)
        before = read_stored_sources(db, job, page.objects)
        save_records(db, job, generation, page, before)
        save_scope_members(db, job, generation, page.scope_members)
        inquire_after_page(db, job, generation, page, before)
        if cursor is not None:
            save_watermark(db, job, cursor)

    @transaction
    def finish_import(
        self, db: Connection, job: str, target: str, generation: int, end: ImportEnd
    ) -> None:
        if end.is_initial:
            other_types = source.c.type.not_in(end.fully_read_types)
            query = select(source.c.guid).where(source.c.job == job, other_types)
            _delete_selected(db, job, query)
        inquire_after_import(db, job, target, generation, end)
        save_watermark(db, job, end.watermark)

    @transaction
    def forget_unlinked(self, db: Connection, job: str, target: str) -> None:
        query = select(source.c.guid).where(
            source.c.job == job, is_out_or_gone(), ~is_linked(target, source.c.guid)
        )
        _delete_selected(db, job, query)
