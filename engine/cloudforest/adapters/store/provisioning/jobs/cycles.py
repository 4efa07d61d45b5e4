"""Cycles, their watermarks, and scratch jobs."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import (
    Connection,
    RowMapping,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
)

from cloudforest.adapters.store.provisioning.jobs.jobs import change_standing
from cloudforest.adapters.store.provisioning.part import Part, upsert
from cloudforest.adapters.store.tables import (
    cycle,
    effect,
    inquiry,
    membership,
    reference,
    resource,
    resource_key,
    scope_member,
    source,
    watermark,
)
from cloudforest.model.ports.store.jobs import Judge
from cloudforest.model.provisioning import Cycle

IMPORTED = (source, inquiry, scope_member, reference, membership)
JOB_TABLES = (*IMPORTED, effect, watermark)
ENDED_WELL = ("succeeded", "partial", "blocked")
CUT_SHORT = "The service ended before this cycle did; the next one goes on from there."

COLUMNS = (cycle.c.job, cycle.c.target, cycle.c.body)

decode = msgspec.json.Decoder(Cycle).decode
encode = msgspec.json.Encoder().encode


def read_cycle(row: RowMapping) -> Cycle:
    """Read a cycle under the names that its job and its target have now."""
    held = decode(row["body"])
    return msgspec.structs.replace(held, job=row["job"], target=row["target"])


def cut_short(connection: Connection, job: str) -> None:
    """Close the cycles of the job that still say running."""
    query = select(*COLUMNS).where(cycle.c.job == job, cycle.c.state == "running")
    for row in connection.execute(query).mappings().all():
        ended = msgspec.structs.replace(
            read_cycle(row), state="failed", error=CUT_SHORT
        )
        save_cycle(connection, ended)


def save_cycle(connection: Connection, value: Cycle) -> None:
    row = {
        "id": value.id,
        "job": value.job,
        "target": value.target,
        "started": value.started.isoformat(),
        "state": value.state,
        "body": encode(value),
    }
    upsert(connection, cycle, [row])


def copy_rows(connection: Connection, table: Table, job: str, scratch: str) -> None:
    columns = [column for column in table.columns if column.name != "job"]
    names = ["job", *(column.name for column in columns)]
    rows = select(literal(scratch), *columns).where(table.c.job == job)
    connection.execute(insert(table).from_select(names, rows))


def drop_rows(connection: Connection, job: str) -> None:
    for table in JOB_TABLES:
        connection.execute(delete(table).where(table.c.job == job))


class Cycles(Part):
    async def start_cycle(self, cycle: Cycle) -> None:
        def work(connection: Connection) -> None:
            cut_short(connection, cycle.job)
            save_cycle(connection, cycle)

        await self.database.run(work)

    async def finish_cycle(self, cycle: Cycle, judge: Judge | None = None) -> None:
        def work(connection: Connection) -> None:
            save_cycle(connection, cycle)
            if judge is not None:
                change_standing(connection, cycle.job, cycle.target, judge)

        await self.database.run(work)

    async def last_cycles(self) -> dict[str, Cycle]:
        last = (
            select(cycle.c.job, func.max(cycle.c.started).label("started"))
            .group_by(cycle.c.job)
            .subquery()
        )
        query = select(*COLUMNS).join(
            last, (cycle.c.job == last.c.job) & (cycle.c.started == last.c.started)
        )
        return await self.database.run(
            lambda connection: {
                row["job"]: read_cycle(row)
                for row in connection.execute(query).mappings()
            }
        )

    async def prune_cycles(self, before: datetime, limit: int) -> int:
        later = cycle.alias()
        is_later = (later.c.job == cycle.c.job) & (later.c.started > cycle.c.started)
        of_target = (later.c.target == cycle.c.target) & later.c.state.in_(ENDED_WELL)
        proved = cycle.c.state.not_in(ENDED_WELL) | exists().where(is_later, of_target)
        old = (
            select(cycle.c.id)
            .where(cycle.c.started < before.isoformat())
            .where(exists().where(is_later), proved)
            .order_by(cycle.c.started)
            .limit(limit)
        )
        statement = delete(cycle).where(cycle.c.id.in_(old))
        return await self.database.run(
            lambda connection: connection.execute(statement).rowcount
        )

    async def has_finished(self, job: str, target: str) -> bool:
        query = (
            select(cycle.c.id)
            .where(cycle.c.job == job, cycle.c.target == target)
            .where(cycle.c.state.in_(ENDED_WELL))
            .limit(1)
        )
        return await self.database.run(
            lambda connection: connection.execute(query).first() is not None
        )

    async def copy_job(self, job: str, scratch: str) -> None:
        def work(connection: Connection) -> None:
            drop_rows(connection, scratch)
            for table in IMPORTED:
                copy_rows(connection, table, job, scratch)
            generation = func.coalesce(func.max(watermark.c.generation), 0)
            connection.execute(
                insert(watermark).from_select(
                    ["job", "generation"],
                    select(literal(scratch), generation).where(watermark.c.job == job),
                )
            )

        await self.database.run(work)

    async def drop_job(self, job: str) -> None:
        await self.database.run(lambda connection: drop_rows(connection, job))

    async def drop_scratch(self) -> None:
        # Each has a row here, and there are few: to look through the others takes long.
        scratch = select(watermark.c.job).where(watermark.c.job.like("plan:%"))

        def work(connection: Connection) -> None:
            for job in connection.scalars(scratch).all():
                drop_rows(connection, job)
            for table in (resource, resource_key):
                connection.execute(delete(table))

        await self.database.run(work)
