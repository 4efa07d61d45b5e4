"""Memberships: those that the directory wants, those written, and the differences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    false,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
    update,
)

from cloudforest.adapters.store.database import (
    StorePart,
    delete_batches,
    read_batches,
    slice_values,
    transaction,
    update_batches,
    upsert,
)
from cloudforest.adapters.store.sources import (
    is_in_or_unknown,
    is_linked,
    is_out_or_gone,
)
from cloudforest.adapters.store.tables import (
    effect,
    link,
    membership,
    source,
    written_member,
)
from cloudforest.model.effects import Outcome
from cloudforest.model.jobs import JobKey
from cloudforest.model.program import ObjectType


def save_memberships(
    db: Connection, job: str, generation: int, members: Mapping[tuple[str, str], bool]
) -> None:
    common = {"job": job, "generation": generation}
    rows = [
        {**common, "group_guid": group, "member_guid": member, "wanted": wanted}
        for (group, member), wanted in members.items()
    ]
    upsert(db, membership, rows)


def drop_unseen_members(db: Connection, job: str, generation: int) -> None:
    """Mark members that a full read of their group did not name as not wanted.

    Groups that may hide their members keep them.
    """
    row = source.c
    hides = (literal(" ") + row.doubted + " ").contains(" member ")
    seen = (
        select(row.guid)
        .where(row.job == job, row.type == "group", row.generation == generation)
        .where(row.state == "in", row.doubted.is_(None) | ~hides)
    )
    db.execute(
        update(membership)
        .where(membership.c.job == job, membership.c.generation < generation)
        .where(membership.c.group_guid.in_(seen))
        .values(wanted=false())
    )


def mark_members_deleted(db: Connection, job: str, ids: Iterable[str]) -> None:
    """Mark the memberships of deleted objects as unproven (generation 0)."""
    statement = update(membership).where(membership.c.job == job).values(generation=0)
    update_batches(db, statement, membership.c.member_guid, ids)


def find_groups_of_deleted(db: Connection, job: str, ids: Iterable[str]) -> list[str]:
    """Return the groups that these objects were in when they were deleted."""
    row = membership.c
    deleted = (row.job == job, text("generation = 0"), row.wanted == true())
    query = select(row.group_guid).where(*deleted).distinct()
    return [group for (group,) in read_batches(db, query, row.member_guid, ids)]


def read_resource_ids(
    db: Connection, target: str, ids: Iterable[str]
) -> dict[str, str]:
    query = select(link.c.guid, link.c.resource).where(link.c.target == target)
    return dict(read_batches(db, query, link.c.guid, ids))


def save_written_members(
    db: Connection, target: str, outcomes: Sequence[Outcome]
) -> None:
    """Store which members the target's groups now have because we wrote them.

    Call it before the links of these outcomes are stored.
    """
    written = written_member.c
    resources = {
        each.link.object_guid: each.link.resource
        for each in outcomes
        if each.link is not None
        and each.effect.type == "group"
        and each.effect.action in {"create", "adopt"}
    }
    before = read_resource_ids(db, target, resources)
    # These groups get a resource, or another resource than before.
    newly_linked = [guid for guid in resources if before.get(guid) != resources[guid]]
    delete_batches(db, written.group_guid, newly_linked, target=target)
    rows = [
        {"target": target, "group_guid": each.effect.id, "member_guid": member}
        for each in outcomes
        for member in each.added
    ]
    upsert(db, written_member, rows)
    for each in outcomes:
        if each.removed:
            group = {"target": target, "group_guid": each.effect.id}
            delete_batches(db, written.member_guid, each.removed, **group)


def delete_written_members(db: Connection, target: str, ids: Sequence[str]) -> None:
    """Forget the memberships of objects that no longer have a resource."""
    written = written_member.c
    for batch in slice_values(ids):
        named = written.group_guid.in_(batch) | written.member_guid.in_(batch)
        db.execute(delete(written_member).where(written.target == target, named))


def is_pending_in(cycle: str) -> ColumnElement[bool]:
    """Return the SQL condition: the cycle will send the effect."""
    return (effect.c.cycle == cycle) & (effect.c.state == "pending")


def _is_in_scope(jobs: Sequence[str], guid: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the SQL condition: the object is in the scope of one of the jobs."""
    of_jobs = (source.c.job.in_(jobs), source.c.guid == guid)
    return exists().where(*of_jobs, is_in_or_unknown())


def _has_waiting_effect(
    jobs: JobKey, cycle: str, guid: ColumnElement[str]
) -> ColumnElement[bool]:
    """Return the SQL condition: an effect of the object waits for a decision or retry.

    The job's own effects count only if they are of this cycle: older ones will be
    dropped. A cycle of one object drops no others, so their older effects count too.
    """
    return exists().where(
        effect.c.job.in_(jobs.all_jobs),
        effect.c.key == guid,
        effect.c.state != "pending",
        or_(
            effect.c.job != jobs.job,
            effect.c.cycle == cycle,
            effect.c.guid != (jobs.only_object or effect.c.guid),
        ),
    )


def _concerns_object(
    jobs: JobKey, group: ColumnElement[str], member: ColumnElement[str]
) -> ColumnElement[bool]:
    only = jobs.only_object
    return true() if only is None else (group == only) | (member == only)


def _is_written(jobs: JobKey) -> ColumnElement[bool]:
    row, written = membership.c, written_member.c
    return exists().where(
        *(written.target == jobs.target, written.group_guid == row.group_guid),
        written.member_guid == row.member_guid,
    )


def _select_by_group(
    jobs: JobKey, cycle: str, after: tuple[str, str]
) -> Select[str, str, bool]:
    """Select the changes that the directory makes to groups that the job holds.

    SQLite tests conditions in the order written, so the most selective comes first.
    """
    row = membership.c
    is_member_held = _is_in_scope(jobs.all_jobs, row.member_guid)
    may_leave = or_(is_member_held, ~_has_waiting_effect(jobs, cycle, row.member_guid))
    return (
        select(row.group_guid, row.member_guid, row.wanted)
        .where(row.job == jobs.job, tuple_(row.group_guid, row.member_guid) > after)
        .where(
            or_(
                and_(
                    *(row.wanted == true(), row.generation > 0),
                    *(~_is_written(jobs), is_member_held),
                ),
                and_(row.wanted == false(), _is_written(jobs), may_leave),
            )
        )
        .where(_is_in_scope([jobs.job], row.group_guid))
        .where(_concerns_object(jobs, row.group_guid, row.member_guid))
    )


def _select_by_member(
    jobs: JobKey, cycle: str, types: Sequence[ObjectType], after: tuple[str, str]
) -> Select[str, str, bool]:
    """Select the written memberships of members that the job has lost."""
    written = written_member.c
    lost_members = select(source.c.guid).where(
        source.c.job == jobs.job, is_out_or_gone(), source.c.type.in_(types)
    )
    return (
        select(written.group_guid, written.member_guid, false().label("wanted"))
        .where(written.member_guid.in_(lost_members), written.target == jobs.target)
        .where(tuple_(written.group_guid, written.member_guid) > after)
        .where(_concerns_object(jobs, written.group_guid, written.member_guid))
        .where(~_is_in_scope(jobs.all_jobs, written.member_guid))
        .where(~_has_waiting_effect(jobs, cycle, written.member_guid))
    )


class Memberships(StorePart):
    @transaction
    def list_membership_changes(
        self,
        db: Connection,
        jobs: JobKey,
        cycle: str,
        types: Sequence[ObjectType],
        after: tuple[str, str],
        limit: int,
    ) -> list[tuple[str, str, bool]]:
        queries = [_select_by_member(jobs, cycle, types, after)]
        if "group" in types:
            queries.append(_select_by_group(jobs, cycle, after))
        query = union(*queries).order_by("group_guid", "member_guid").limit(limit)
        return [
            (group, member, bool(wanted)) for group, member, wanted in db.execute(query)
        ]

    @transaction
    def find_emptied_groups(
        self, db: Connection, jobs: JobKey, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        row, written = membership.c, written_member.c
        of_member = (effect.c.job == jobs.job, effect.c.key == row.member_guid)
        is_coming = exists().where(*of_member, is_pending_in(cycle))
        wanted = (
            select(row.group_guid)
            .where(row.job.in_(jobs.all_jobs), row.group_guid.in_(groups))
            .where(row.wanted == true(), _is_in_scope(jobs.all_jobs, row.member_guid))
            .where(or_(is_linked(jobs.target, row.member_guid), is_coming))
        )
        held_back = (
            select(written.group_guid)
            .where(written.target == jobs.target, written.group_guid.in_(groups))
            .where(~_is_in_scope(jobs.all_jobs, written.member_guid))
            .where(_has_waiting_effect(jobs, cycle, written.member_guid))
        )
        not_empty = db.scalars(union(wanted, held_back))
        return frozenset(groups).difference(not_empty)

    @transaction
    def retain_written_members(
        self, db: Connection, target: str, group: str, present: Collection[str]
    ) -> None:
        written = written_member.c
        of_group = (written.target == target, written.group_guid == group)
        is_link = (link.c.target == target) & (link.c.guid == written.member_guid)
        query = select(written.member_guid, link.c.resource).outerjoin(link, is_link)
        gone = [
            guid
            for guid, resource in db.execute(query.where(*of_group))
            if resource not in present
        ]
        delete_batches(db, written.member_guid, gone, target=target, group_guid=group)
