"""The provisioning log: entries are appended, never changed, and deleted when old."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, case, delete, func, select

from cloudforest.adapters.store.database import (
    StorePart,
    encode_json,
    insert_rows,
    time_text,
    transaction,
)
from cloudforest.adapters.store.tables import log, resource
from cloudforest.model.cycles import LogEntry, LogQuery

MAX_NAME_LENGTH = 400

decode_entry = msgspec.json.Decoder(LogEntry).decode


def _fold_name(name: str) -> str:
    return name.casefold()[:MAX_NAME_LENGTH]


def save_log(db: Connection, entries: Sequence[LogEntry]) -> None:
    rows = [
        {
            "time": time_text(each.time),
            "cycle": each.cycle,
            "job": each.job,
            "object": each.object,
            "name": _fold_name(each.name),
            "action": each.action,
            "status": each.status,
            "body": encode_json(each),
        }
        for each in entries
    ]
    insert_rows(db, log, rows)


def _without_index(column: Column[str]) -> ColumnElement[str]:
    """Keep the database from using this column's index, which is less selective."""
    return column.concat("")


def _conditions(query: LogQuery) -> Iterator[ColumnElement[bool]]:
    is_narrow = query.object is not None or query.cycle is not None
    if query.object is not None:
        folded = _fold_name(query.object)
        yield (log.c.object == folded) | (log.c.name == folded)
    if query.cycle is not None:
        yield log.c.cycle == query.cycle
    for column in (log.c.job, log.c.action, log.c.status):
        value = getattr(query, column.name)
        if value is not None:
            yield (_without_index(column) if is_narrow else column) == value
    # The time index already gave the range of numbers; times have another order.
    if query.since is not None:
        yield _without_index(log.c.time) >= time_text(query.since)
    if query.until is not None:
        yield _without_index(log.c.time) < time_text(query.until)


class Logs(StorePart):
    @transaction
    def save_log_entries(self, db: Connection, entries: Sequence[LogEntry]) -> None:
        save_log(db, entries)

    @transaction
    def find_log_range(
        self, db: Connection, since: datetime | None, until: datetime | None
    ) -> tuple[int, int]:
        first, last = select(func.min(log.c.id)), select(func.max(log.c.id))
        if since is not None:
            first = first.where(log.c.time >= time_text(since))
        if until is not None:
            last = last.where(log.c.time < time_text(until))
        lowest, highest = db.scalar(first), db.scalar(last)
        return (1, 0) if lowest is None else (lowest, highest or 0)

    @transaction
    def list_log_entries(
        self, db: Connection, query: LogQuery, *, first: int, last: int, limit: int
    ) -> list[tuple[int, LogEntry]]:
        statement = (
            select(log.c.id, log.c.body)
            .where(log.c.id >= first, log.c.id <= last, *_conditions(query))
            .order_by(log.c.id)
            .limit(limit)
        )
        return [(id_, decode_entry(body)) for id_, body in db.execute(statement)]

    @transaction
    def count_written(self, db: Connection, cycle: str, snapshot: str) -> int:
        in_snapshot = select(resource.c.resource).where(resource.c.target == snapshot)
        failures = func.sum(case((log.c.status == "success", 0), else_=1))
        written = (
            select(log.c.object)
            .where(log.c.cycle == cycle, log.c.object.in_(in_snapshot))
            .group_by(log.c.object)
            .having(failures == 0)
        )
        query = select(func.count()).select_from(written.subquery())
        return db.scalar(query) or 0

    @transaction
    def prune_log(self, db: Connection, before: datetime, limit: int) -> int:
        old = (
            select(log.c.id)
            .where(log.c.time < time_text(before))
            .order_by(log.c.time)
            .limit(limit)
        )
        return db.execute(delete(log).where(log.c.id.in_(old))).rowcount
