"""The registration in the database: every revision is kept, the latest counts."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.engine import Database
from cloudforest.adapters.store.renames import carry_over
from cloudforest.base.canonical import canonical_json
from cloudforest.base.errors import Stale
from cloudforest.model.registration import Registration


class SqlRegistrationStore:
    """See `model.ports.RegistrationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def registration(self) -> tuple[int, Registration | None]:
        return await self._database.run(_latest)

    async def register(
        self, registration: Registration, *, base: int, operator: str, now: datetime
    ) -> int:
        def work(connection: Connection) -> int:
            latest, registered = _latest(connection)
            if latest != base:
                raise Stale(
                    f"The registration is at revision {latest}, the plan was made"
                    f" against {base}; plan again."
                )
            carry_over(connection, registered, registration)
            row = {
                "revision": base + 1,
                "body": canonical_json(registration),
                "operator": operator,
                "time": now.isoformat(),
            }
            connection.execute(insert(tables.registration), row)
            return base + 1

        return await self._database.run(work)


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
