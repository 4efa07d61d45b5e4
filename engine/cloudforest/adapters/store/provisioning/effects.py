"""The outbox: an effect leaves it in the transaction that stores its outcome."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select, update

from cloudforest.adapters.store.provisioning.links import save_links
from cloudforest.adapters.store.provisioning.logs import save_log
from cloudforest.adapters.store.provisioning.memberships import write_members
from cloudforest.adapters.store.provisioning.part import Part, slices, upsert
from cloudforest.adapters.store.tables import effect
from cloudforest.model.provisioning import Effect, LogEntry, Outcome

decode = msgspec.json.Decoder(Effect).decode
encode = msgspec.json.Encoder().encode


def settle(connection: Connection, job: str, outcomes: Sequence[Outcome]) -> None:
    """Take what is done out of the outbox, and keep the rest as it has become."""
    for keys in slices(each.effect.key for each in outcomes if each.state == "done"):
        connection.execute(
            delete(effect).where(effect.c.job == job, effect.c.key.in_(keys))
        )
    left = [
        {
            "of": each.effect.key,
            "phase": each.effect.phase,
            "state": each.state,
            "body": encode(each.effect),
        }
        for each in outcomes
        if each.state != "done"
    ]
    if left:
        statement = update(effect).where(
            effect.c.job == job, effect.c.key == bindparam("of")
        )
        connection.execute(statement, left)


class Effects(Part):
    async def effects(self, job: str, keys: Sequence[str]) -> dict[str, Effect]:
        def work(connection: Connection) -> dict[str, Effect]:
            return {
                key: decode(body)
                for some in slices(keys)
                for key, body in connection.execute(
                    select(effect.c.key, effect.c.body).where(
                        effect.c.job == job, effect.c.key.in_(some)
                    )
                )
            }

        return await self.database.run(work)

    async def save_effects(
        self, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        rows = [
            {
                "job": job,
                "key": each.key,
                "guid": each.id,
                "cycle": cycle,
                "phase": each.phase,
                "state": each.state,
                "resource": each.resource,
                "body": encode(each),
            }
            for each in effects
        ]
        await self.database.run(lambda connection: upsert(connection, effect, rows))

    async def drop_effects(self, job: str, cycle: str) -> None:
        statement = delete(effect).where(effect.c.job == job, effect.c.cycle != cycle)
        await self.database.run(lambda connection: connection.execute(statement))

    async def claimed(
        self, job: str, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        def work(connection: Connection) -> dict[str, str]:
            return {
                resource: guid
                for some in slices(resources)
                for resource, guid in connection.execute(
                    select(effect.c.resource, effect.c.guid).where(
                        effect.c.job == job,
                        effect.c.cycle == cycle,
                        effect.c.phase == 1,
                        effect.c.resource.in_(some),
                    )
                )
            }

        return await self.database.run(work)

    async def pending(
        self, job: str, phase: int, after: str, limit: int
    ) -> list[Effect]:
        query = (
            select(effect.c.body)
            .where(effect.c.job == job, effect.c.state == "pending")
            .where(effect.c.phase == phase, effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [
                decode(body) for body in connection.execute(query).scalars()
            ]
        )

    async def record(
        self,
        job: str,
        target: str,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
    ) -> None:
        def work(connection: Connection) -> None:
            save_links(
                connection, target, [each.link for each in outcomes if each.link]
            )
            for each in outcomes:
                group = each.effect.id
                write_members(connection, job, group, ids=each.added, written=True)
                write_members(connection, job, group, ids=each.removed, written=False)
            settle(connection, job, outcomes)
            save_log(connection, log)

        await self.database.run(work)

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

    async def effect_counts(self) -> dict[str, dict[str, int]]:
        query = select(effect.c.job, effect.c.state, func.count()).group_by(
            effect.c.job, effect.c.state
        )

        def work(connection: Connection) -> dict[str, dict[str, int]]:
            counts: dict[str, dict[str, int]] = {}
            for job, state, number in connection.execute(query):
                counts.setdefault(job, {})[state] = number
            return counts

        return await self.database.run(work)
