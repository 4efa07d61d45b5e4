"""The registration in the database: every revision is kept, the latest counts."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.agents import keep_agents
from cloudforest.adapters.store.engine import Database
from cloudforest.adapters.store.renames import carry_over
from cloudforest.base.canonical import canonical_json
from cloudforest.base.errors import Stale
from cloudforest.model.registration import Registration, Revision


class SqlRegistrationStore:
    """See `model.ports.RegistrationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def registration(self) -> tuple[int, Registration | None]:
        return await self._database.run(_latest)

    async def revision(self, number: int) -> Revision | None:
        return await self._database.run(
            lambda connection: _revision(connection, number)
        )

    async def register(
        self,
        registration: Registration,
        *,
        base: int,
        operator: str,
        now: datetime,
        detail: str = "",
    ) -> int:
        def work(connection: Connection) -> int:
            latest, registered = _latest(connection)
            if latest != base:
                raise _stale(connection, latest, base)
            carry_over(connection, registered, registration)
            keep_agents(connection, registration)
            row = {
                "revision": base + 1,
                "body": canonical_json(registration),
                "operator": operator,
                "time": now.isoformat(),
            }
            connection.execute(insert(tables.registration), row)
            told = f"revision {base + 1}" + (f", {detail}" if detail else "")
            _audit(connection, operator, now, told)
            return base + 1

        return await self._database.run(work)


def _audit(connection: Connection, operator: str, now: datetime, detail: str) -> None:
    row = {
        "time": now.isoformat(),
        "operator": operator,
        "action": "apply",
        "detail": detail,
    }
    connection.execute(insert(tables.audit), row)


def _stale(connection: Connection, latest: int, base: int) -> Stale:
    found = _revision(connection, latest)
    by = f" (by {found.operator}, {found.time})" if found else ""
    return Stale(
        f"The registration is at revision {latest}{by}, the plan was made against"
        f" {base}; plan again."
    )


def _revision(connection: Connection, number: int) -> Revision | None:
    table = tables.registration
    row = connection.execute(select(table).where(table.c.revision == number)).first()
    if row is None:
        return None
    return Revision(
        number=row.revision,
        registration=msgspec.json.decode(row.body, type=Registration),
        operator=row.operator,
        time=row.time,
    )


def _latest(connection: Connection) -> tuple[int, Registration | None]:
    columns = tables.registration.c
    row = connection.execute(
        select(columns.revision, columns.body)
        .order_by(columns.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        return 0, None
    return row.revision, msgspec.json.decode(row.body, type=Registration)
