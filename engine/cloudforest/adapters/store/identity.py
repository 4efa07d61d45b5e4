"""Agents, enrolment tokens, assertions seen, operators and audit, in the database.

What operators were told, in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.registration import read_agents, save_agent
from cloudforest.adapters.store.tables import notice
from cloudforest.model.identity import AgentRecord, AuditRecord, Operator
from cloudforest.model.ports.notices import Occurrence


class SqlIdentityStore:
    """See `model.ports.IdentityStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_agents(self) -> list[AgentRecord]:
        return await self._database.run(read_agents)

    async def update_agent(
        self, agent: str, change: Callable[[AgentRecord], AgentRecord]
    ) -> AgentRecord | None:
        table = tables.agent

        def work(connection: Connection) -> AgentRecord | None:
            body = connection.execute(
                select(table.c.body).where(table.c.id == agent).with_for_update()
            ).scalar()
            if body is None:
                return None
            changed = change(msgspec.json.decode(body, type=AgentRecord))
            save_agent(connection, changed)
            return changed

        return await self._database.run(work)

    async def save_token(self, token_hash: str, agent: str, expires: datetime) -> None:
        table = tables.enrolment

        def work(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.agent == agent))
            row = {
                "agent": agent,
                "token_hash": token_hash,
                "expires": _time_text(expires),
            }
            connection.execute(insert(table), row)

        await self._database.run(work)

    async def redeem_token(self, token_hash: str, now: datetime) -> str | None:
        table = tables.enrolment

        def work(connection: Connection) -> str | None:
            row = connection.execute(
                delete(table)
                .where(table.c.token_hash == token_hash)
                .returning(table.c.agent, table.c.expires)
            ).first()
            return row.agent if row and row.expires > _time_text(now) else None

        return await self._database.run(work)

    async def remember_jti(self, jti: str, expires: datetime, now: datetime) -> bool:
        table = tables.assertion

        def work(connection: Connection) -> bool:
            connection.execute(delete(table).where(table.c.expires <= _time_text(now)))
            if connection.execute(
                select(table.c.jti).where(table.c.jti == jti)
            ).first():
                return False
            connection.execute(
                insert(table), {"jti": jti, "expires": _time_text(expires)}
            )
            return True

        return await self._database.run(work)

    async def save_operator(self, operator: Operator, token_hash: str) -> None:
        table = tables.operator

        def work(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.name == operator.name))
            row = {
                "name": operator.name,
                "role": operator.role,
                "token_hash": token_hash,
            }
            connection.execute(insert(table), row)

        await self._database.run(work)

    async def find_operator(self, token_hash: str) -> Operator | None:
        columns = tables.operator.c

        def work(connection: Connection) -> Operator | None:
            row = connection.execute(
                select(columns.name, columns.role).where(
                    columns.token_hash == token_hash
                )
            ).first()
            return Operator(name=row.name, role=row.role) if row else None

        return await self._database.run(work)

    async def save_audit_record(
        self, *, time: datetime, operator: str, action: str, detail: str
    ) -> None:
        row = {
            "time": _time_text(time),
            "operator": operator,
            "action": action,
            "detail": detail,
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(tables.audit), row)

        await self._database.run(work)

    async def list_audit_records(
        self, *, after: int, limit: int
    ) -> list[tuple[int, AuditRecord]]:
        table = tables.audit
        query = select(table).where(table.c.id > after).order_by(table.c.id)

        def work(connection: Connection) -> list[tuple[int, AuditRecord]]:
            rows = connection.execute(query.limit(limit)).mappings()
            return [(row["id"], _audit_record(row)) for row in rows]

        return await self._database.run(work)


def _audit_record(row: RowMapping) -> AuditRecord:
    told = {key: row[key] for key in ("operator", "action", "detail")}
    return AuditRecord(time=datetime.fromisoformat(row["time"]), **told)


def _time_text(time: datetime) -> str:
    """Return a text whose order is the order of time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


class SqlNoticeStore:
    """See `model.ports.NoticeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_notified(self) -> frozenset[Occurrence]:
        query = select(notice.c.kind, notice.c.name, notice.c.detail)
        return await self._database.run(
            lambda connection: frozenset(
                msgspec.convert(row, Occurrence)
                for row in connection.execute(query).mappings()
            )
        )

    async def mark_notified(
        self, occurrences: Collection[Occurrence], now: datetime
    ) -> None:
        rows = [
            {**msgspec.to_builtins(each), "sent": now.isoformat()}
            for each in occurrences
        ]

        def work(connection: Connection) -> None:
            _delete_notices(connection, occurrences)
            if rows:
                connection.execute(insert(notice), rows)

        await self._database.run(work)

    async def clear_notified(self, occurrences: Collection[Occurrence]) -> None:
        await self._database.run(
            lambda connection: _delete_notices(connection, occurrences)
        )


def _delete_notices(
    connection: Connection, occurrences: Collection[Occurrence]
) -> None:
    for each in occurrences:
        connection.execute(
            delete(notice)
            .where(notice.c.kind == each.kind)
            .where(notice.c.name == each.name)
            .where(notice.c.detail == each.detail)
        )
