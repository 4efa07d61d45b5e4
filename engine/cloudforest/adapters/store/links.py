"""Links between source objects and target resources, and who belongs to which group."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import astuple
from sqlalchemy import Connection, delete, exists, false, func, or_, select, true
from sqlalchemy.exc import IntegrityError

from cloudforest.adapters.store.database import (
    StorePart,
    execute_batches,
    read_batches,
    transaction,
    upsert,
)
from cloudforest.adapters.store.memberships import (
    delete_written_members,
    read_resource_ids,
)
from cloudforest.adapters.store.sources import (
    find_referrers,
    is_in_or_unknown,
    unsettle_objects,
)
from cloudforest.adapters.store.tables import link, membership, source, written_member
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link, Origin

LINK_FIELDS = Link.__struct_fields__
"""In the order of the columns of `link` after `target`."""


def save_links(db: Connection, target: str, links: Sequence[Link]) -> None:
    rows = [
        dict(zip(link.c.keys(), (target, *astuple(each)), strict=True))
        for each in links
    ]
    try:
        upsert(db, link, rows)
    except IntegrityError as error:
        raise AlreadyLinked from error


def delete_links(db: Connection, target: str, ids: Sequence[str]) -> None:
    statement = delete(link).where(link.c.target == target)
    execute_batches(db, statement, link.c.guid, ids)


class Links(StorePart):
    @transaction
    def load_links(
        self, db: Connection, target: str, ids: Sequence[str]
    ) -> dict[str, Link]:
        query = select(link).where(link.c.target == target)
        return {
            fields[0]: Link(**dict(zip(LINK_FIELDS, fields, strict=True)))
            for _, *fields in read_batches(db, query, link.c.guid, ids)
        }

    @transaction
    def load_resource_ids(
        self, db: Connection, target: str, ids: Sequence[str]
    ) -> dict[str, str]:
        return read_resource_ids(db, target, ids)

    @transaction
    def find_linked_objects(
        self, db: Connection, target: str, resources: Sequence[str]
    ) -> dict[str, str]:
        query = select(link.c.resource, link.c.guid).where(link.c.target == target)
        return dict(read_batches(db, query, link.c.resource, resources))

    @transaction
    def save_observed(
        self, db: Connection, target: str, observed: Sequence[Link], gone: Sequence[str]
    ) -> None:
        save_links(db, target, observed)
        delete_links(db, target, gone)
        delete_written_members(db, target, gone)
        ids = [each.object_guid for each in observed]
        unsettle_objects(db, [*ids, *gone, *find_referrers(db, gone)])

    @transaction
    def count_links(
        self, db: Connection, target: str, job: str | None, type_: ObjectType | None
    ) -> dict[Origin, int]:
        query = select(link.c.origin, func.count()).where(link.c.target == target)
        if job is not None:
            of_job = (source.c.job == job) & (source.c.guid == link.c.guid)
            query = query.where(exists().where(of_job))
        if type_ is not None:
            query = query.where(link.c.type == type_)
        rows = db.execute(query.group_by(link.c.origin))
        return dict(iter(rows))

    @transaction
    def count_managed(self, db: Connection, job: str, target: str) -> int:
        active = link.c.written["active"].as_boolean()
        query = (
            select(func.count())
            .select_from(source)
            .join(link, link.c.guid == source.c.guid)
            .where(source.c.job == job, link.c.target == target)
            .where(or_(is_in_or_unknown(), active.is_not(false())))
        )
        return db.execute(query).scalar_one()

    @transaction
    def list_groups_of(
        self, db: Connection, job: str, member: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        row = membership.c
        groups = (
            select(row.group_guid)
            .where(row.job == job, row.member_guid == member, row.wanted == true())
            .subquery()
        )
        first = (
            select(source.c.dn)
            .join(groups, groups.c.group_guid == source.c.guid)
            .where(source.c.job == job)
            .order_by(source.c.dn)
            .limit(limit)
        )
        count = db.scalar(select(func.count()).select_from(groups))
        return count or 0, tuple(db.execute(first).scalars())

    @transaction
    def load_written_members(
        self, db: Connection, target: str, group: str
    ) -> frozenset[str]:
        query = select(written_member.c.member_guid).where(
            written_member.c.target == target, written_member.c.group_guid == group
        )
        return frozenset(db.execute(query).scalars())

    @transaction
    def load_dns(self, db: Connection, job: str, ids: Sequence[str]) -> dict[str, str]:
        query = select(source.c.guid, source.c.dn).where(
            source.c.job == job, source.c.guid.in_(ids)
        )
        return dict(iter(db.execute(query)))
