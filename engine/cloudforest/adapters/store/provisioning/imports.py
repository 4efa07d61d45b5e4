"""Imports: generations, pages with their cursors, watermarks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select, update

from cloudforest.adapters.store.provisioning.memberships import forget_older_members
from cloudforest.adapters.store.provisioning.part import Part, upsert
from cloudforest.adapters.store.provisioning.sources import save_records
from cloudforest.adapters.store.tables import watermark
from cloudforest.model.messages import Record
from cloudforest.model.provisioning import Watermark


def save_watermark(connection: Connection, job: str, value: Watermark) -> None:
    connection.execute(
        update(watermark)
        .where(watermark.c.job == job)
        .values(body=msgspec.json.encode(value))
    )


def save_whole(connection: Connection, job: str, generation: int) -> None:
    connection.execute(
        update(watermark).where(watermark.c.job == job).values(whole=generation)
    )


class Imports(Part):
    async def watermark(self, job: str) -> Watermark | None:
        query = select(watermark.c.body).where(watermark.c.job == job)

        def work(connection: Connection) -> Watermark | None:
            body = connection.execute(query).scalar()
            return msgspec.json.decode(body, type=Watermark) if body else None

        return await self.database.run(work)

    async def begin_import(self, job: str, cycle: str) -> int:  # noqa: ARG002 - the port names it
        query = select(watermark.c.generation).where(watermark.c.job == job)

        def work(connection: Connection) -> int:
            generation = (connection.execute(query).scalar() or 0) + 1
            row = {"job": job, "generation": generation, "whole": 0, "body": None}
            upsert(connection, watermark, [row], keep=("whole", "body"))
            return generation

        return await self.database.run(work)

    async def save_page(
        self,
        job: str,
        generation: int,
        records: Sequence[Record],
        cursor: Watermark | None,
    ) -> None:
        def work(connection: Connection) -> None:
            save_records(connection, job, generation, records)
            if cursor is not None:
                save_watermark(connection, job, cursor)

        await self.database.run(work)

    async def finish_import(
        self, job: str, generation: int, watermark: Watermark, *, full: bool
    ) -> None:
        def work(connection: Connection) -> None:
            if full:
                forget_older_members(connection, job, generation)
                save_whole(connection, job, generation)
            save_watermark(connection, job, watermark)

        await self.database.run(work)
