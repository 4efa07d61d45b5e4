"""The outbox: an effect leaves it in the transaction that stores its outcome.

What outcomes do to budgets and stages, in the transaction that stores them.

Escrow: what is held back, and until when.

What a cycle is to write, as not held back: of which objects, as which resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from cloudforest.adapters.store.database import Part, Row, slices, upsert
from cloudforest.adapters.store.imports import forget
from cloudforest.adapters.store.links import forget_links, save_links
from cloudforest.adapters.store.log import save_log
from cloudforest.adapters.store.memberships import coming, forget_written, write_members
from cloudforest.adapters.store.sources import unsettle_written
from cloudforest.adapters.store.tables import effect, source, spent, staged
from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import PHASE_WRITE, Effect, Outcome, wish
from cloudforest.model.stages import Spent


def text_of(time: datetime) -> str:
    """Return a text whose order is the order of time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def save_spent(connection: Connection, job: str, sums: Iterable[Spent]) -> None:
    rows = [
        {
            "job": job,
            "guard": each.guard,
            "time": text_of(each.time),
            "effects": each.effects,
        }
        for each in sums
    ]
    if rows:
        connection.execute(insert(spent), rows)


def forget_staged(connection: Connection, stage: str, keys: Iterable[str]) -> None:
    for some in slices(keys):
        connection.execute(
            delete(staged).where(staged.c.stage == stage, staged.c.key.in_(some))
        )


def done_with(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Take out of their stages the effects that were released and are done."""
    keys: dict[str, list[str]] = {}
    for each in outcomes:
        if each.state == "done" and each.effect.stage is not None:
            keys.setdefault(each.effect.stage, []).append(each.effect.key)
    for stage, done in keys.items():
        forget_staged(connection, stage, done)


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


class Intended(Part):
    async def coming(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        def work(connection: Connection) -> dict[str, str | None]:
            return {
                key: resource
                for some in slices(ids)
                for key, resource, of, state in connection.execute(
                    select(
                        effect.c.key, effect.c.resource, effect.c.cycle, effect.c.state
                    ).where(effect.c.job == job, effect.c.key.in_(some))
                )
                # Asked for in SQL, SQLite would read all that is pending instead.
                if (of, state) == (cycle, "pending")
            }

        return await self.database.run(work)

    async def creations(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        columns = effect.c
        held = (columns.key, columns.phase, columns.resource, columns.action)

        def work(connection: Connection) -> dict[str, int]:
            return {
                key: phase
                for some in slices(ids)
                for key, phase, *rest in connection.execute(
                    select(*held, columns.cycle, columns.state).where(
                        columns.job == job, columns.key.in_(some)
                    )
                )
                if rest == [None, "create", cycle, "pending"]
            }

        return await self.database.run(work)

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
                        effect.c.phase == PHASE_WRITE,
                        effect.c.resource.in_(some),
                    )
                )
            }

        return await self.database.run(work)
