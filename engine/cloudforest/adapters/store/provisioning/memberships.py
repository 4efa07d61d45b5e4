"""Memberships: what the directory wants, and what we wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    false,
    or_,
    select,
    true,
    tuple_,
    update,
)

from cloudforest.adapters.store.provisioning.part import Part, slices, upsert
from cloudforest.adapters.store.tables import link, membership, source


def save_members(
    connection: Connection,
    job: str,
    generation: int,
    members: Mapping[tuple[str, str], bool],
) -> None:
    rows = [
        {
            "job": job,
            "group_guid": group,
            "member_guid": member,
            "generation": generation,
            "wanted": wanted,
            "written": False,
        }
        for (group, member), wanted in members.items()
    ]
    upsert(connection, membership, rows, keep="written")


def forget_older_members(connection: Connection, job: str, generation: int) -> None:
    """Want no longer the members that a full read of their group did not name."""
    seen = select(source.c.guid).where(
        source.c.job == job,
        source.c.type == "group",
        source.c.generation == generation,
        source.c.in_scope == true(),
    )
    connection.execute(
        update(membership)
        .where(membership.c.job == job, membership.c.generation < generation)
        .where(membership.c.group_guid.in_(seen))
        .values(wanted=false())
    )


def write_members(
    connection: Connection, job: str, group: str, *, ids: Sequence[str], written: bool
) -> None:
    for some in slices(ids):
        connection.execute(
            update(membership)
            .where(membership.c.job == job, membership.c.group_guid == group)
            .where(membership.c.member_guid.in_(some))
            .values(written=written)
        )


def known(job: str, target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    """Say in SQL: in scope of the job, or linked."""
    return or_(
        exists().where(
            source.c.job == job, source.c.guid == guid, source.c.in_scope == true()
        ),
        exists().where(link.c.target == target, link.c.guid == guid),
    )


class Memberships(Part):
    async def membership_changes(
        self, job: str, target: str, after: tuple[str, str], limit: int
    ) -> list[tuple[str, str, bool]]:
        row = membership.c
        query = (
            select(row.group_guid, row.member_guid, row.wanted)
            .where(row.job == job, tuple_(row.group_guid, row.member_guid) > after)
            .where(
                or_(
                    and_(row.wanted == true(), row.written == false()),
                    and_(row.wanted == false(), row.written == true()),
                )
            )
            .where(known(job, target, row.group_guid))
            .where(known(job, target, row.member_guid))
            .order_by(row.group_guid, row.member_guid)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [
                (group, member, wanted)
                for group, member, wanted in connection.execute(query)
            ]
        )

    async def save_present(self, job: str, group: str, members: Sequence[str]) -> None:
        await self.database.run(
            lambda connection: write_members(
                connection, job, group, ids=members, written=True
            )
        )

    async def emptied_groups(self, job: str, groups: Sequence[str]) -> frozenset[str]:
        query = (
            select(membership.c.group_guid)
            .where(membership.c.job == job, membership.c.group_guid.in_(groups))
            .where(membership.c.wanted == true())
            .distinct()
        )
        wanted = await self.database.run(
            lambda connection: frozenset(connection.execute(query).scalars())
        )
        return frozenset(groups) - wanted
