"""Agents, enrolment tokens, seen assertions, operators, audit and sent notices."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import msgspec
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.database import (
    StorePart,
    insert_rows,
    time_text,
    transaction,
)
from cloudforest.adapters.store.registration import (
    decode_agent,
    read_agents,
    save_agent,
)
from cloudforest.adapters.store.tables import notice
from cloudforest.model.identity import AgentRecord, AuditRecord, Operator
from cloudforest.model.ports.notices import Occurrence


class SqlIdentityStore(StorePart):
    """`model.ports.identity.IdentityStore` on SQLite or PostgreSQL."""

    @transaction
    def list_agents(self, db: Connection) -> list[AgentRecord]:
        return read_agents(db)

    @transaction
    def update_agent(
        self, db: Connection, agent: str, change: Callable[[AgentRecord], AgentRecord]
    ) -> AgentRecord | None:
        row = tables.agent.c
        body = db.scalar(select(row.body).where(row.id == agent).with_for_update())
        if body is None:
            return None
        changed = change(decode_agent(body))
        save_agent(db, changed)
        return changed

    @transaction
    def save_token(
        self, db: Connection, token_hash: str, agent: str, expires: datetime
    ) -> None:
        table = tables.enrolment
        db.execute(delete(table).where(table.c.agent == agent))
        row = {"agent": agent, "token_hash": token_hash, "expires": time_text(expires)}
        db.execute(insert(table), row)

    @transaction
    def redeem_token(
        self, db: Connection, token_hash: str, now: datetime
    ) -> str | None:
        table = tables.enrolment
        row = db.execute(
            delete(table)
            .where(table.c.token_hash == token_hash)
            .returning(table.c.agent, table.c.expires)
        ).first()
        return row.agent if row and row.expires > time_text(now) else None

    @transaction
    def remember_jti(
        self, db: Connection, jti: str, expires: datetime, now: datetime
    ) -> bool:
        table = tables.assertion
        db.execute(delete(table).where(table.c.expires <= time_text(now)))
        if db.execute(select(table.c.jti).where(table.c.jti == jti)).first():
            return False
        db.execute(insert(table), {"jti": jti, "expires": time_text(expires)})
        return True

    @transaction
    def save_operator(
        self, db: Connection, operator: Operator, token_hash: str
    ) -> None:
        table = tables.operator
        db.execute(delete(table).where(table.c.name == operator.name))
        db.execute(insert(table), {**asdict(operator), "token_hash": token_hash})

    @transaction
    def find_operator(self, db: Connection, token_hash: str) -> Operator | None:
        columns = tables.operator.c
        query = select(columns.name, columns.role)
        row = db.execute(query.where(columns.token_hash == token_hash)).first()
        return Operator(name=row.name, role=row.role) if row else None

    @transaction
    def save_audit_record(self, db: Connection, record: AuditRecord) -> None:
        row = {**asdict(record), "time": time_text(record.time)}
        db.execute(insert(tables.audit), row)

    @transaction
    def list_audit_records(
        self, db: Connection, *, after: int, limit: int
    ) -> list[tuple[int, AuditRecord]]:
        table = tables.audit
        names = AuditRecord.__struct_fields__
        query = select(table.c.id, *(table.c[each] for each in names))
        query = query.where(table.c.id > after).order_by(table.c.id).limit(limit)
        return [
            (number, msgspec.convert(dict(zip(names, row, strict=True)), AuditRecord))
            for number, *row in db.execute(query)
        ]


def _delete_notices(db: Connection, occurrences: Collection[Occurrence]) -> None:
    for each in occurrences:
        db.execute(
            delete(notice)
            .where(notice.c.kind == each.kind, notice.c.name == each.name)
            .where(notice.c.detail == each.detail)
        )


class SqlNoticeStore(StorePart):
    """`model.ports.notices.NoticeStore` on SQLite or PostgreSQL."""

    @transaction
    def list_notified(self, db: Connection) -> frozenset[Occurrence]:
        query = select(notice.c.kind, notice.c.name, notice.c.detail)
        return frozenset(
            msgspec.convert(row, Occurrence) for row in db.execute(query).mappings()
        )

    @transaction
    def mark_notified(
        self, db: Connection, occurrences: Collection[Occurrence], now: datetime
    ) -> None:
        rows = [{**asdict(each), "sent": now.isoformat()} for each in occurrences]
        _delete_notices(db, occurrences)
        insert_rows(db, notice, rows)

    @transaction
    def clear_notified(
        self, db: Connection, occurrences: Collection[Occurrence]
    ) -> None:
        _delete_notices(db, occurrences)
