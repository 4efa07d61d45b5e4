"""Memberships: what the directory wants, and what we wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    false,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    update,
)

from cloudforest.adapters.store.provisioning.part import Part, slices, upsert
from cloudforest.adapters.store.tables import (
    effect,
    link,
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
    """Want no longer the members that a whole read of their group did not name.

    A group that may hide its members is no proof of that.
    """
    hides = (literal(" ") + source.c.doubted + " ").contains(" member ")
    seen = select(source.c.guid).where(
        source.c.job == job,
        source.c.type == "group",
        source.c.generation == generation,
        source.c.state == "in",
        or_(source.c.doubted.is_(None), not_(hides)),
    )
    connection.execute(
        update(membership)
        .where(membership.c.job == job, membership.c.generation < generation)
        .where(membership.c.group_guid.in_(seen))
        .values(wanted=false())
    )


def doubt_members(connection: Connection, job: str, ids: Iterable[str]) -> None:
    """Believe no longer that objects that were deleted are members of anything."""
    for some in slices(ids):
        connection.execute(
            update(membership)
            .where(membership.c.job == job, membership.c.member_guid.in_(some))
            .values(generation=0)
        )


def doubted_groups(connection: Connection, job: str, ids: Iterable[str]) -> list[str]:
    """Return the groups that these objects were in when they were deleted."""
    return [
        group
        for some in slices(ids)
        for group in connection.execute(
            select(membership.c.group_guid)
            .where(membership.c.job == job, membership.c.member_guid.in_(some))
            .where(text("generation = 0"), membership.c.wanted == true())
            .distinct()
        ).scalars()
    ]


def _linked_anew(
    connection: Connection, target: str, outcomes: Sequence[Outcome]
) -> list[str]:
    """Return the groups that get a resource, or another one than before."""
    resources = {
        each.link.id: each.link.resource
        for each in outcomes
        if each.link is not None
        and each.effect.type == "group"
        and each.effect.action in {"create", "adopt"}
    }
    before = {
        guid: resource
        for some in slices(resources)
        for guid, resource in connection.execute(
            select(link.c.guid, link.c.resource).where(
                link.c.target == target, link.c.guid.in_(some)
            )
        )
    }
    return [guid for guid in resources if before.get(guid) != resources[guid]]


def write_members(
    connection: Connection, target: str, outcomes: Sequence[Outcome]
) -> None:
    """Keep which members the groups of the target now have through us.

    To be called before their links are stored.
    """
    written = written_member.c
    for some in slices(_linked_anew(connection, target, outcomes)):
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


def forget_written(connection: Connection, target: str, ids: Sequence[str]) -> None:
    """Forget the memberships of objects that have no resource any more."""
    written = written_member.c
    for some in slices(ids):
        named = or_(written.group_guid.in_(some), written.member_guid.in_(some))
        connection.execute(
            delete(written_member).where(written.target == target, named)
        )


def coming(cycle: str) -> ColumnElement[bool]:
    """Say in SQL: an effect that the cycle is to send."""
    return and_(effect.c.cycle == cycle, effect.c.state == "pending")


class Memberships(Part):
    async def keep_written(
        self, target: str, group: str, present: Collection[str]
    ) -> None:
        its = (written_member.c.target == target) & (
            written_member.c.group_guid == group
        )
        resources = select(written_member.c.member_guid, link.c.resource).outerjoin(
            link,
            (link.c.target == target) & (link.c.guid == written_member.c.member_guid),
        )

        def work(connection: Connection) -> None:
            gone = [
                guid
                for guid, resource in connection.execute(resources.where(its))
                if resource not in present
            ]
            for some in slices(gone):
                connection.execute(
                    delete(written_member).where(
                        its, written_member.c.member_guid.in_(some)
                    )
                )

        await self.database.run(work)
