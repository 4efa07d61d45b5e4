"""Escrow: what is held back, and until when."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, select

from cloudforest.adapters.store.provisioning.outbox.effects import HELD, read, rows_of
from cloudforest.adapters.store.provisioning.outbox.spending import text_of
from cloudforest.adapters.store.provisioning.part import Part, upsert
from cloudforest.adapters.store.tables import effect, source
from cloudforest.model.provisioning import Effect

BATCH = 500


def _due(held: Effect, now: datetime) -> Effect:
    return msgspec.structs.replace(held, attempts=0, next_try=now, since=None)


def release(
    connection: Connection,
    job: str,
    object_id: str | None,
    now: datetime,
    *,
    reason: str = "",
) -> int:
    """Make due what is in escrow, of one object or all, for one reason or any."""
    query = (
        select(effect.c.key, effect.c.cycle, *HELD)
        .where(effect.c.job == job, effect.c.state == "escrowed")
        .order_by(effect.c.key)
        .limit(BATCH)
    )
    if object_id is not None:
        query = query.where(effect.c.guid == object_id)
    released, after = 0, ""
    while rows := connection.execute(query.where(effect.c.key > after)).all():
        due = [
            row
            for _, cycle, *held in rows
            if reason in ((each := read(*held)).reason or "")
            for row in rows_of(job, cycle, [_due(each, now)])
        ]
        upsert(connection, effect, due)
        released += len(due)
        after = rows[-1].key
    return released


class Escrows(Part):
    async def due(
        self, job: str, now: datetime, *, after: str, limit: int
    ) -> list[Effect]:
        query = (
            select(*HELD)
            .where(effect.c.job == job, effect.c.state == "escrowed")
            .where(effect.c.next_try <= text_of(now), effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [read(*row) for row in connection.execute(query)]
        )

    async def escrow_page(
        self, job: str, *, after: str, limit: int
    ) -> list[tuple[Effect, str | None]]:
        its_row = and_(source.c.job == effect.c.job, source.c.guid == effect.c.guid)
        query = (
            select(source.c.dn, *HELD)
            .outerjoin_from(effect, source, its_row)
            .where(effect.c.job == job, effect.c.state == "escrowed")
            .where(effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [
                (read(*row), dn) for dn, *row in connection.execute(query)
            ]
        )

    async def retry(self, job: str, object: str | None, now: datetime) -> int:  # noqa: A002 - the port's word
        return await self.database.run(
            lambda connection: release(connection, job, object, now)
        )
