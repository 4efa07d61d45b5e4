"""Allowances of stages, and what each budget has borne."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, select

from cloudforest.adapters.store.provisioning.outbox.spending import text_of
from cloudforest.adapters.store.provisioning.part import Part, upsert
from cloudforest.adapters.store.tables import allowance, spent
from cloudforest.model.provisioning import Allowance


class Allowances(Part):
    async def allow(self, allowance: Allowance) -> None:
        await self.database.run(lambda connection: _allow(connection, allowance))

    async def allowances(self, now: datetime) -> list[Allowance]:
        query = select(
            *(allowance.c.stage, allowance.c.job),
            *(allowance.c.operator, allowance.c.until),
        ).where(allowance.c.until > text_of(now))
        return await self.database.run(
            lambda connection: [
                Allowance(
                    stage=id_,
                    job=job,
                    operator=operator,
                    until=datetime.fromisoformat(until),
                )
                for id_, job, operator, until in connection.execute(query)
            ]
        )

    async def spent(self, job: str, guard: str, since: datetime) -> int:
        budget = and_(spent.c.job == job, spent.c.guard == guard)

        def work(connection: Connection) -> int:
            old = spent.c.time < text_of(since)
            connection.execute(delete(spent).where(budget, old))
            total = select(func.coalesce(func.sum(spent.c.effects), 0)).where(budget)
            return int(connection.execute(total).scalar_one())

        return await self.database.run(work)


def _allow(connection: Connection, value: Allowance) -> None:
    row = {
        "stage": value.stage,
        "job": value.job,
        "operator": value.operator,
        "until": text_of(value.until),
    }
    upsert(connection, allowance, [row])
