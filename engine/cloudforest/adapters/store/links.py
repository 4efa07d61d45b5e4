"""Links between source objects and target resources, and snapshots of targets.

Matching searches a snapshot instead of asking the target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec.structs import astuple
from sqlalchemy import Connection, delete, exists, false, func, or_, select, true
from sqlalchemy.exc import IntegrityError

from cloudforest.adapters.store.database import (
    StorePart,
    delete_batches,
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
from cloudforest.adapters.store.tables import (
    link,
    membership,
    resource,
    resource_key,
    source,
    written_member,
)
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link, MatchValue, Origin, TargetResource
from cloudforest.program.mapping.desired import make_match_key

MAX_KEY_LENGTH = 400
LINK_FIELDS = Link.__struct_fields__
"""In the order of the columns of `link` after `target`."""


def match_key(path: str, value: MatchValue) -> str:
    """Return the stored key of a value: its match key, or a digest if that is long."""
    key = make_match_key(path, value)
    if len(key) <= MAX_KEY_LENGTH:
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def save_links(db: Connection, target: str, links: Sequence[Link]) -> None:
    columns = link.c.keys()
    rows = [dict(zip(columns, (target, *astuple(each)), strict=True)) for each in links]
    try:
        upsert(db, link, rows)
    except IntegrityError as error:
        raise AlreadyLinked from error


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
        delete_batches(db, link.c.guid, gone, target=target)
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
        return dict(iter(db.execute(query.group_by(link.c.origin))))

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
        return db.scalars(query).one()

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
        return count or 0, tuple(db.scalars(first))

    @transaction
    def load_written_members(
        self, db: Connection, target: str, group: str
    ) -> frozenset[str]:
        row = written_member.c
        of_group = (row.target == target, row.group_guid == group)
        return frozenset(db.scalars(select(row.member_guid).where(*of_group)))

    @transaction
    def load_dns(self, db: Connection, job: str, ids: Sequence[str]) -> dict[str, str]:
        query = select(source.c.guid, source.c.dn).where(
            source.c.job == job, source.c.guid.in_(ids)
        )
        return dict(iter(db.execute(query)))

    @transaction
    def save_snapshot(
        self,
        db: Connection,
        snapshot: str,
        resource_type: str,
        resources: Sequence[TargetResource],
        paths: Sequence[str],
    ) -> None:
        where = {"target": snapshot, "resource_type": resource_type}
        bodies = [
            {**where, "resource": each.id, "body": each.values} for each in resources
        ]
        keys = [
            {
                **where,
                "path": path,
                "value": match_key(path, value),
                "resource": each.id,
            }
            for each in resources
            for path in paths
            if isinstance(value := each.values.get(path), MatchValue)
        ]
        upsert(db, resource, bodies)
        upsert(db, resource_key, keys)

    @transaction
    def load_snapshot_resources(
        self,
        db: Connection,
        snapshot: str,
        resource_type: str,
        resources: Sequence[str],
    ) -> dict[str, TargetResource]:
        query = select(resource.c.resource, resource.c.body).where(
            resource.c.target == snapshot, resource.c.resource_type == resource_type
        )
        return {
            id_: TargetResource(id=id_, values=body)
            for id_, body in read_batches(db, query, resource.c.resource, resources)
        }

    @transaction
    def clear_snapshot(self, db: Connection, snapshot: str) -> None:
        for table in (resource, resource_key):
            db.execute(delete(table).where(table.c.target == snapshot))

    @transaction
    def find_snapshot_matches(
        self,
        db: Connection,
        snapshot: str,
        resource_type: str,
        path: str,
        values: Sequence[MatchValue],
    ) -> dict[str, tuple[TargetResource, ...]]:
        keys = {make_match_key(path, value): match_key(path, value) for value in values}
        row = resource_key.c
        is_resource = (
            (resource.c.target == row.target)
            & (resource.c.resource_type == row.resource_type)
            & (resource.c.resource == row.resource)
        )
        query = (
            select(row.value, resource.c.resource, resource.c.body)
            .join(resource, is_resource)
            .where(row.target == snapshot, row.path == path)
            .where(row.resource_type == resource_type)
        )
        found: dict[str, tuple[TargetResource, ...]] = {}
        for key, id_, body in read_batches(db, query, row.value, keys.values()):
            each = TargetResource(id=id_, values=body)
            found[key] = (*found.get(key, ()), each)
        return {value: found[key] for value, key in keys.items() if key in found}
