"""Who belongs where, for those who ask about one object."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, true

from cloudforest.adapters.store.provisioning.part import Part
from cloudforest.adapters.store.tables import membership, source, written_member


class Belongings(Part):
    async def groups_of(
        self, job: str, member: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        row = membership.c
        wanted = (
            select(row.group_guid)
            .where(row.job == job, row.member_guid == member, row.wanted == true())
            .subquery()
        )
        first = (
            select(source.c.dn)
            .join(wanted, wanted.c.group_guid == source.c.guid)
            .where(source.c.job == job)
            .order_by(source.c.dn)
            .limit(limit)
        )

        def work(connection: Connection) -> tuple[int, tuple[str, ...]]:
            count = connection.scalar(select(func.count()).select_from(wanted))
            return count or 0, tuple(connection.execute(first).scalars())

        return await self.database.run(work)

    async def written_members(self, target: str, group: str) -> frozenset[str]:
        query = select(written_member.c.member_guid).where(
            written_member.c.target == target, written_member.c.group_guid == group
        )
        return await self.database.run(
            lambda connection: frozenset(connection.execute(query).scalars())
        )

    async def dns(self, job: str, ids: Sequence[str]) -> dict[str, str]:
        query = select(source.c.guid, source.c.dn).where(
            source.c.job == job, source.c.guid.in_(ids)
        )
        return await self.database.run(
            lambda connection: dict(iter(connection.execute(query)))
        )
