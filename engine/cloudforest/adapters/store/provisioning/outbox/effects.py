"""The outbox: an effect leaves it in the transaction that stores its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from cloudforest.adapters.store.provisioning.links.links import forget_links, save_links
from cloudforest.adapters.store.provisioning.logs import save_log
from cloudforest.adapters.store.provisioning.members.memberships import (
    coming,
    forget_written,
    write_members,
)
from cloudforest.adapters.store.provisioning.outbox.spending import (
    done_with,
    save_spent,
    text_of,
)
from cloudforest.adapters.store.provisioning.part import Part, Row, slices, upsert
from cloudforest.adapters.store.provisioning.sources.imports import forget
from cloudforest.adapters.store.provisioning.sources.settling import unsettle_written
from cloudforest.adapters.store.tables import effect
from cloudforest.model.provisioning import (
    Effect,
    LogEntry,
    Outcome,
    Spent,
    wish,
)

decode = msgspec.json.Decoder(Effect).decode
encode = msgspec.json.Encoder().encode

HELD = (effect.c.body, effect.c.sent)
"""What `read` takes."""


def read(body: bytes, sent: bool) -> Effect:  # noqa: FBT001 - a row, in order
    held = decode(body)
    return held if held.sent == sent else msgspec.structs.replace(held, sent=sent)


def rows_of(job: str, cycle: str, effects: Iterable[Effect]) -> list[Row]:
    return [
        {
            "job": job,
            "key": each.key,
            "guid": each.id,
            "cycle": cycle,
            "phase": each.phase,
            "state": each.state,
            "resource": each.resource,
            "action": each.action,
            "stage": each.stage,
            "digest": wish(each) if each.stage else None,
            "next_try": text_of(each.next_try) if each.next_try else None,
            "sent": each.sent,
            "body": encode(each),
        }
        for each in effects
    ]


def remove(connection: Connection, job: str, keys: Iterable[str]) -> None:
    for some in slices(keys):
        connection.execute(
            delete(effect).where(effect.c.job == job, effect.c.key.in_(some))
        )


class Effects(Part):
    async def effects(self, job: str, keys: Sequence[str]) -> dict[str, Effect]:
        def work(connection: Connection) -> dict[str, Effect]:
            return {
                key: read(*row)
                for some in slices(keys)
                for key, *row in connection.execute(
                    select(effect.c.key, *HELD).where(
                        effect.c.job == job, effect.c.key.in_(some)
                    )
                )
            }

        return await self.database.run(work)

    async def save_effects(
        self, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        rows = rows_of(job, cycle, effects)
        if rows:
            await self.database.run(lambda connection: upsert(connection, effect, rows))

    async def mark_sent(self, job: str, keys: Sequence[str], *, sent: bool) -> None:
        def work(connection: Connection) -> None:
            for some in slices(keys):
                connection.execute(
                    update(effect)
                    .where(effect.c.job == job, effect.c.key.in_(some))
                    .values(sent=sent)
                )

        if keys:
            await self.database.run(work)

    async def drop_effects(
        self, job: str, cycle: str, *, only: str | None = None
    ) -> None:
        statement = delete(effect).where(effect.c.job == job, effect.c.cycle != cycle)
        if only is not None:
            statement = statement.where(effect.c.guid == only)
        await self.database.run(lambda connection: connection.execute(statement))

    async def remove_effects(self, job: str, keys: Sequence[str]) -> None:
        if keys:
            await self.database.run(lambda connection: remove(connection, job, keys))

    async def pending(
        self, job: str, cycle: str, phase: int, *, after: str, limit: int
    ) -> list[Effect]:
        query = (
            select(*HELD)
            .where(effect.c.job == job, effect.c.phase == phase, coming(cycle))
            .where(effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [read(*row) for row in connection.execute(query)]
        )

    async def outbox_page(self, job: str, *, after: str, limit: int) -> list[Effect]:
        query = (
            select(*HELD)
            .where(effect.c.job == job, effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [read(*row) for row in connection.execute(query)]
        )

    async def record(
        self,
        job: str,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
        spent: Sequence[Spent] = (),
    ) -> None:
        links = [each.link for each in outcomes if each.link and not each.unlinked]
        unlinked = [each.effect.id for each in outcomes if each.unlinked]
        done = [each.effect.key for each in outcomes if each.state == "done"]
        left = [each.effect for each in outcomes if each.state != "done"]

        def work(connection: Connection) -> None:
            write_members(connection, target, outcomes)
            save_links(connection, target, links)
            unsettle_written(connection, cycle, outcomes)
            forget_links(connection, target, unlinked)
            forget_written(connection, target, unlinked)
            forget(connection, job, unlinked)
            done_with(connection, outcomes)
            save_spent(connection, job, spent)
            remove(connection, job, done)
            upsert(connection, effect, rows_of(job, cycle, left))
            save_log(connection, log)

        await self.database.run(work)

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
