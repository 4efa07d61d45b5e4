"""Memberships: what the directory wants, and what we wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    false,
    or_,
    select,
    true,
    tuple_,
    update,
)

from cloudforest.adapters.store.provisioning.part import Part, slices, upsert
from cloudforest.adapters.store.provisioning.presence import is_linked, known
from cloudforest.adapters.store.tables import (
    effect,
    membership,
    source,
    written_member,
)
from cloudforest.model.provisioning import Outcome


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
        }
        for (group, member), wanted in members.items()
    ]
    upsert(connection, membership, rows)


def forget_older_members(connection: Connection, job: str, generation: int) -> None:
    """Want no longer the members that a whole read of their group did not name."""
    seen = select(source.c.guid).where(
        source.c.job == job,
        source.c.type == "group",
        source.c.generation == generation,
        source.c.state == "in",
    )
    connection.execute(
        update(membership)
        .where(membership.c.job == job, membership.c.generation < generation)
        .where(membership.c.group_guid.in_(seen))
        .values(wanted=false())
    )


def write_members(
    connection: Connection, target: str, outcomes: Sequence[Outcome]
) -> None:
    """Keep which members the groups of the target now have through us."""
    written = written_member.c
    linked = [
        each.effect.id
        for each in outcomes
        if each.link is not None
        and each.effect.type == "group"
        and each.effect.action in {"create", "adopt"}
    ]
    for some in slices(linked):
        connection.execute(
            delete(written_member).where(
                written.target == target, written.group_guid.in_(some)
            )
        )
    rows = [
        {"target": target, "group_guid": each.effect.id, "member_guid": member}
        for each in outcomes
        for member in each.added
    ]
    upsert(connection, written_member, rows)
    for each in outcomes:
        for some in slices(each.removed):
            connection.execute(
                delete(written_member)
                .where(written.target == target, written.group_guid == each.effect.id)
                .where(written.member_guid.in_(some))
            )


def coming(cycle: str) -> ColumnElement[bool]:
    """Say in SQL: an effect that the cycle is to send."""
    return and_(effect.c.cycle == cycle, effect.c.state == "pending")


class Memberships(Part):
    async def membership_changes(
        self, job: str, target: str, after: tuple[str, str], limit: int
    ) -> list[tuple[str, str, bool]]:
        row, written = membership.c, written_member.c
        is_written = exists().where(
            written.target == target,
            written.group_guid == row.group_guid,
            written.member_guid == row.member_guid,
        )
        query = (
            select(row.group_guid, row.member_guid, row.wanted)
            .where(row.job == job, tuple_(row.group_guid, row.member_guid) > after)
            .where((row.wanted == true()) != is_written)
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

    async def emptied_groups(
        self, job: str, target: str, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        row = membership.c
        is_coming = exists().where(
            effect.c.job == job, effect.c.key == row.member_guid, coming(cycle)
        )
        query = (
            select(row.group_guid)
            .where(row.job == job, row.group_guid.in_(groups), row.wanted == true())
            .where(or_(is_linked(target, row.member_guid), is_coming))
            .distinct()
        )
        left = await self.database.run(
            lambda connection: frozenset(connection.execute(query).scalars())
        )
        return frozenset(groups) - left
