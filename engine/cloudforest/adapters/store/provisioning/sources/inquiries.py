"""Inquiries: the objects that must be asked by objectGUID before all else."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    Connection,
    select,
    update,
)

from cloudforest.adapters.store.provisioning.members.memberships import (
    forget_older_members,
)
from cloudforest.adapters.store.provisioning.part import (
    Part,
    slices,
)
from cloudforest.adapters.store.provisioning.sources import doubting, open_questions
from cloudforest.adapters.store.provisioning.sources.before import stored
from cloudforest.adapters.store.provisioning.sources.records import (
    save_records,
)
from cloudforest.adapters.store.provisioning.sources.said import sort_out
from cloudforest.adapters.store.tables import inquiry, source
from cloudforest.model.messages import Record


def _not_found(
    connection: Connection, job: str, generation: int, ids: Sequence[str]
) -> None:
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .where(source.c.state == "in", source.c.generation < generation)
            .values(state="unknown", settled=None)
        )


class Inquiries(Part):
    async def add_inquiries(self, job: str, ids: Sequence[str]) -> None:
        await self.database.run(
            lambda connection: open_questions.add(connection, job, ids)
        )

    async def inquiries(self, job: str, limit: int) -> list[str]:
        query = (
            select(inquiry.c.guid)
            .where(inquiry.c.job == job)
            .order_by(inquiry.c.guid)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: list(connection.execute(query).scalars())
        )

    async def doubted(self, job: str, ids: Sequence[str]) -> frozenset[str]:
        def work(connection: Connection) -> frozenset[str]:
            found = doubting.doubts(connection, job, ids)
            return frozenset[str]().union(*(names for _, names in found))

        return await self.database.run(work)

    async def save_answers(
        self, job: str, generation: int, records: Sequence[Record]
    ) -> None:
        def work(connection: Connection) -> None:
            said = sort_out(records)
            before = stored(connection, job, said.named)
            save_records(connection, job, generation, said, before)
            open_questions.ask_groups(connection, job, said)

        await self.database.run(work)

    async def finish_asking(
        self,
        job: str,
        generation: int,
        ids: Sequence[str],
        *,
        complete: bool,
        proved: Sequence[str] = (),
    ) -> None:
        def work(connection: Connection) -> None:
            _not_found(connection, job, generation, ids)
            if complete:
                forget_older_members(connection, job, generation)
            open_questions.remove(connection, job, ids)
            left = doubting.unproved(connection, job, ids, proved)
            open_questions.add(connection, job, left)

        await self.database.run(work)
