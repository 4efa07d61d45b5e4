"""Memberships that differ from what the target got, derived from both ends."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    not_,
    or_,
    select,
    true,
    tuple_,
    union,
)

from cloudforest.adapters.store.provisioning.members.memberships import coming
from cloudforest.adapters.store.provisioning.part import Part
from cloudforest.adapters.store.provisioning.presence import (
    has_left,
    is_held,
    is_linked,
)
from cloudforest.adapters.store.tables import effect, membership, source, written_member
from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import TargetJobs

Membership = tuple[str, str, bool]


def _is_held_by(jobs: Sequence[str], guid: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(source.c.job.in_(jobs), source.c.guid == guid, is_held())


def _is_held_back(
    jobs: TargetJobs, cycle: str, guid: ColumnElement[str]
) -> ColumnElement[bool]:
    """Say in SQL: an effect of the object itself waits for a decision or a retry.

    Of the job itself only what this cycle wants counts; the rest is yet to be dropped,
    unless the cycle is about one object alone.
    """
    return exists().where(
        effect.c.job.in_(jobs.all),
        effect.c.key == guid,
        effect.c.state != "pending",
        or_(
            effect.c.job != jobs.job,
            effect.c.cycle == cycle,
            effect.c.guid != (jobs.only or effect.c.guid),
        ),
    )


def _is_about(
    jobs: TargetJobs, group: ColumnElement[str], member: ColumnElement[str]
) -> ColumnElement[bool]:
    return true() if jobs.only is None else or_(group == jobs.only, member == jobs.only)


def _is_written(jobs: TargetJobs) -> ColumnElement[bool]:
    row, written = membership.c, written_member.c
    return exists().where(
        written.target == jobs.target,
        written.group_guid == row.group_guid,
        written.member_guid == row.member_guid,
    )


def _by_group(
    jobs: TargetJobs, cycle: str, after: tuple[str, str]
) -> Select[str, str, bool]:
    """Ask for what the directory says of the groups that the job holds.

    SQLite asks in the order written, so what leaves few comes first.
    """
    row = membership.c
    is_member_held = _is_held_by(jobs.all, row.member_guid)
    may_leave = or_(is_member_held, not_(_is_held_back(jobs, cycle, row.member_guid)))
    return (
        select(row.group_guid, row.member_guid, row.wanted)
        .where(row.job == jobs.job, tuple_(row.group_guid, row.member_guid) > after)
        .where(
            or_(
                and_(
                    row.wanted == true(),
                    row.generation > 0,
                    not_(_is_written(jobs)),
                    is_member_held,
                ),
                and_(row.wanted == false(), _is_written(jobs), may_leave),
            )
        )
        .where(_is_held_by([jobs.job], row.group_guid))
        .where(_is_about(jobs, row.group_guid, row.member_guid))
    )


def _by_member(
    jobs: TargetJobs, cycle: str, types: Sequence[ObjectType], after: tuple[str, str]
) -> Select[str, str, bool]:
    """Ask for the memberships that we wrote of members whom the job has lost."""
    written = written_member.c
    lost = select(source.c.guid).where(
        source.c.job == jobs.job, has_left(), source.c.type.in_(types)
    )
    return (
        select(written.group_guid, written.member_guid, false().label("wanted"))
        .where(written.member_guid.in_(lost), written.target == jobs.target)
        .where(tuple_(written.group_guid, written.member_guid) > after)
        .where(_is_about(jobs, written.group_guid, written.member_guid))
        .where(not_(_is_held_by(jobs.all, written.member_guid)))
        .where(not_(_is_held_back(jobs, cycle, written.member_guid)))
    )


class DueMembers(Part):
    async def membership_changes(
        self,
        jobs: TargetJobs,
        cycle: str,
        types: Sequence[ObjectType],
        after: tuple[str, str],
        limit: int,
    ) -> list[Membership]:
        found = _by_member(jobs, cycle, types, after)
        by_group = _by_group(jobs, cycle, after)
        both = union(found, by_group) if "group" in types else union(found)
        query = both.order_by("group_guid", "member_guid").limit(limit)
        return await self.database.run(
            lambda connection: [
                (group, member, bool(wanted))
                for group, member, wanted in connection.execute(query)
            ]
        )

    async def emptied_groups(
        self, jobs: TargetJobs, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        row, written = membership.c, written_member.c
        is_coming = exists().where(
            effect.c.job == jobs.job, effect.c.key == row.member_guid, coming(cycle)
        )
        wanted = (
            select(row.group_guid)
            .where(row.job.in_(jobs.all), row.group_guid.in_(groups))
            .where(row.wanted == true(), _is_held_by(jobs.all, row.member_guid))
            .where(or_(is_linked(jobs.target, row.member_guid), is_coming))
        )
        staying = (
            select(written.group_guid)
            .where(written.target == jobs.target, written.group_guid.in_(groups))
            .where(not_(_is_held_by(jobs.all, written.member_guid)))
            .where(_is_held_back(jobs, cycle, written.member_guid))
        )
        left = await self.database.run(
            lambda connection: frozenset(
                connection.execute(union(wanted, staying)).scalars()
            )
        )
        return frozenset(groups) - left
