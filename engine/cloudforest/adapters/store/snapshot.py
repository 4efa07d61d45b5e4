"""Snapshots of a target: matching searches them instead of asking the target."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from cloudforest.adapters.store.database import (
    StorePart,
    slice_values,
    transaction,
    upsert,
)
from cloudforest.adapters.store.tables import resource, resource_key
from cloudforest.model.source import MatchValue, TargetResource
from cloudforest.program.mapping.desired import make_match_key

MAX_KEY_LENGTH = 400


def match_key(path: str, value: MatchValue) -> str:
    """Return the stored key of a value: its match key, or a digest if that is long."""
    key = make_match_key(path, value)
    if len(key) <= MAX_KEY_LENGTH:
        return key
    return hashlib.sha256(key.encode()).hexdigest()


class TargetSnapshots(StorePart):
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
            for batch in slice_values(resources)
            for id_, body in db.execute(query.where(resource.c.resource.in_(batch)))
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
        query = (
            select(resource_key.c.value, resource.c.resource, resource.c.body)
            .join(
                resource,
                (resource.c.target == resource_key.c.target)
                & (resource.c.resource_type == resource_key.c.resource_type)
                & (resource.c.resource == resource_key.c.resource),
            )
            .where(resource_key.c.target == snapshot, resource_key.c.path == path)
            .where(resource_key.c.resource_type == resource_type)
        )
        found: dict[str, tuple[TargetResource, ...]] = {}
        for batch in slice_values(keys.values()):
            for key, id_, body in db.execute(
                query.where(resource_key.c.value.in_(batch))
            ):
                each = TargetResource(id=id_, values=body)
                found[key] = (*found.get(key, ()), each)
        return {value: found[key] for value, key in keys.items() if key in found}
