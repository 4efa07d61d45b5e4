"""What operators were told, in the database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, insert, select

from cloudforest.adapters.store.engine import Database
from cloudforest.adapters.store.tables import notice
from cloudforest.model.notices import Occurrence


class SqlNoticeStore:
    """See `model.ports.NoticeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def told(self) -> frozenset[Occurrence]:
        query = select(notice.c.kind, notice.c.name, notice.c.detail)
        return await self._database.run(
            lambda connection: frozenset(
                msgspec.convert(row, Occurrence)
                for row in connection.execute(query).mappings()
            )
        )

    async def remember(
        self, occurrences: Collection[Occurrence], now: datetime
    ) -> None:
        rows = [
            {**msgspec.to_builtins(each), "sent": now.isoformat()}
            for each in occurrences
        ]

        def work(connection: Connection) -> None:
            _forget(connection, occurrences)
            if rows:
                connection.execute(insert(notice), rows)

        await self._database.run(work)

    async def forget(self, occurrences: Collection[Occurrence]) -> None:
        await self._database.run(lambda connection: _forget(connection, occurrences))


def _forget(connection: Connection, occurrences: Collection[Occurrence]) -> None:
    for each in occurrences:
        connection.execute(
            delete(notice)
            .where(notice.c.kind == each.kind)
            .where(notice.c.name == each.name)
            .where(notice.c.detail == each.detail)
        )
