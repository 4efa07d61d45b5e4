"""Escrow: what is held back, and until when."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from cloudforest.adapters.store.provisioning.effects import decode, rows_of
from cloudforest.adapters.store.provisioning.part import Part, upsert
from cloudforest.adapters.store.tables import effect
from cloudforest.model.provisioning import Effect


def _due(held: Effect, now: datetime) -> Effect:
    return msgspec.structs.replace(held, next_try=now, since=now)


class Escrows(Part):
    async def escrowed(self, job: str) -> list[Effect]:
        query = (
            select(effect.c.body)
            .where(effect.c.job == job, effect.c.state == "escrowed")
            .order_by(effect.c.key)
        )
        return await self.database.run(
            lambda connection: [
                decode(body) for body in connection.execute(query).scalars()
            ]
        )

    async def retry(self, job: str, object: str | None, now: datetime) -> int:  # noqa: A002 - the port's word
        query = select(effect.c.cycle, effect.c.body).where(
            effect.c.job == job, effect.c.state == "escrowed"
        )
        if object is not None:
            query = query.where(effect.c.guid == object)

        def work(connection: Connection) -> int:
            rows = [
                row
                for cycle, body in connection.execute(query)
                for row in rows_of(job, cycle, [_due(decode(body), now)])
            ]
            upsert(connection, effect, rows)
            return len(rows)

        return await self.database.run(work)
