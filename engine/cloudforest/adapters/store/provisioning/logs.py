"""The provisioning log: appended to, never changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, insert, select

from cloudforest.adapters.store.provisioning.part import Part
from cloudforest.adapters.store.tables import log
from cloudforest.model.provisioning import LogEntry

decode = msgspec.json.Decoder(LogEntry).decode
encode = msgspec.json.Encoder().encode


def save_log(connection: Connection, entries: Sequence[LogEntry]) -> None:
    rows = [
        {
            "time": each.time.isoformat(),
            "cycle": each.cycle,
            "job": each.job,
            "object": each.object,
            "action": each.action,
            "status": each.status,
            "seconds": each.milliseconds / 1000,
            "body": encode(each),
        }
        for each in entries
    ]
    if rows:
        connection.execute(insert(log), rows)


class Logs(Part):
    async def log(self, entries: Sequence[LogEntry]) -> None:
        await self.database.run(lambda connection: save_log(connection, entries))

    async def logs(
        self,
        *,
        job: str | None = None,
        object: str | None = None,  # noqa: A002 - the port's word
        after: int = 0,
        limit: int = 1000,
    ) -> list[tuple[int, LogEntry]]:
        query = select(log.c.id, log.c.body).where(log.c.id > after)
        if job is not None:
            query = query.where(log.c.job == job)
        if object is not None:
            query = query.where(log.c.object == object)
        query = query.order_by(log.c.id).limit(limit)
        return await self.database.run(
            lambda connection: [
                (id_, decode(body)) for id_, body in connection.execute(query)
            ]
        )
