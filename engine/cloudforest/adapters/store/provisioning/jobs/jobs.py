"""How jobs and their targets stand between cycles, and what a restart forgets."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Table, delete, false, select, update

from cloudforest.adapters.store.provisioning.outbox.escrows import release
from cloudforest.adapters.store.provisioning.part import Part, upsert
from cloudforest.adapters.store.tables import (
    breaker,
    job_state,
    link,
    source,
    watermark,
)
from cloudforest.model.ports.store.jobs import ChangeJob, Judge
from cloudforest.model.provisioning import (
    Breaker,
    JobState,
    ResetScope,
    Standing,
    Watermark,
)

EVERYTHING = frozenset(
    {"Escrows", "QuarantineState", "Watermark", "ConnectorDataStore"}
)

encode = msgspec.json.Encoder().encode
decode_state = msgspec.json.Decoder(JobState).decode
decode_breaker = msgspec.json.Decoder(Breaker).decode


def _body(connection: Connection, table: Table, name: str) -> bytes | None:
    [key] = table.primary_key
    query = select(table.c.body).where(key == name).with_for_update()
    body: bytes | None = connection.execute(query).scalar()
    return body


def _state(connection: Connection, job: str) -> JobState:
    body = _body(connection, job_state, job)
    return decode_state(body) if body else JobState()


def _save_state(connection: Connection, job: str, state: JobState) -> None:
    upsert(connection, job_state, [{"job": job, "body": encode(state)}])


def change_state(connection: Connection, job: str, change: ChangeJob) -> JobState:
    changed = change(_state(connection, job))
    _save_state(connection, job, changed)
    return changed


def change_standing(
    connection: Connection, job: str, target: str, judge: Judge
) -> None:
    held = _body(connection, breaker, target)
    before = Standing(
        job=_state(connection, job), breaker=decode_breaker(held) if held else None
    )
    after = judge(before)
    _save_state(connection, job, after.job)
    if after.breaker is None:
        connection.execute(delete(breaker).where(breaker.c.target == target))
    elif after.breaker != before.breaker:
        upsert(connection, breaker, [{"target": target, "body": encode(after.breaker)}])


def _forget_watermark(connection: Connection, job: str, *, bindings: bool) -> None:
    """Ask for everything again; `bindings`: whatever the scope then resolves to."""
    body = _body(connection, watermark, job)
    if body is None:
        return
    held = msgspec.json.decode(body, type=Watermark)
    kept = None if bindings else encode(msgspec.structs.replace(held, value=None))
    connection.execute(
        update(watermark).where(watermark.c.job == job).values(body=kept)
    )


def _doubt_links(connection: Connection, job: str, target: str) -> None:
    """Look each linked object of the job up in the target, in the next cycle."""
    its = select(source.c.guid).where(source.c.job == job)
    connection.execute(
        update(link)
        .where(link.c.target == target, link.c.guid.in_(its))
        .values(checked=false())
    )
    connection.execute(update(source).where(source.c.job == job).values(settled=None))


class Jobs(Part):
    async def job_states(self) -> dict[str, JobState]:
        query = select(job_state.c.job, job_state.c.body)
        return await self.database.run(
            lambda connection: {
                job: decode_state(body) for job, body in connection.execute(query)
            }
        )

    async def breakers(self) -> dict[str, Breaker]:
        query = select(breaker.c.target, breaker.c.body)
        return await self.database.run(
            lambda connection: {
                target: decode_breaker(body)
                for target, body in connection.execute(query)
            }
        )

    async def change_job(self, job: str, change: ChangeJob) -> JobState:
        return await self.database.run(
            lambda connection: change_state(connection, job, change)
        )

    async def restart_job(
        self,
        job: str,
        target: str,
        *,
        resets: Collection[ResetScope],
        change: ChangeJob,
        now: datetime,
    ) -> None:
        everything = set(resets) >= EVERYTHING

        def work(connection: Connection) -> None:
            if "Escrows" in resets:
                release(connection, job, None, now)
            if "Watermark" in resets:
                _forget_watermark(connection, job, bindings=everything)
            if "ConnectorDataStore" in resets:
                _doubt_links(connection, job, target)
            change_state(connection, job, change)

        await self.database.run(work)
