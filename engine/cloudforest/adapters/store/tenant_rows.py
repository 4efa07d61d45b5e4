"""The rows of the built-in directory: reads and writes within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from cloudforest.adapters.store.tables import tenant_key, tenant_member, tenant_resource

RESOURCE_COLUMNS = (
    tenant_resource.c.sequence,
    tenant_resource.c.id,
    tenant_resource.c.type,
    tenant_resource.c.version,
    tenant_resource.c.created,
    tenant_resource.c.modified,
    tenant_resource.c.body,
)
"""In the order of the fields of `StoredResource`."""
LookupKey = tuple[str, str]
Members = dict[str, bytes]
"""The members of a group by id; each value is the JSON of the whole member."""


class UniquenessConflict(Exception):  # noqa: N818 - named for what happened
    """Another resource has a value that must be unique."""


@dataclass(frozen=True)
class ResourceContent:
    """What a client may write; `body` is a JSON object without id, meta and members.

    `keys` are the values for lookups, by path, in the form in which they are compared.
    `unique_path` is the path whose value must be unique within a type. None for `keys`
    or `members` leaves them unchanged.
    """

    body: bytes
    keys: Mapping[str, str] | None
    unique_path: str | None = None
    members: Members | None = None


@dataclass(frozen=True)
class StoredResource:
    """A resource as stored; `members` is empty unless the caller asked for them."""

    sequence: int
    id: str
    type: str
    version: int
    created: str
    modified: str
    body: bytes
    members: Members = field(default_factory=dict)


_resource, _key, _member = tenant_resource.c, tenant_key.c, tenant_member.c
_FIND = select(*RESOURCE_COLUMNS).where(
    _resource.type == bindparam("kind"), _resource.id == bindparam("which")
)
_KEY_OWNER = select(_key.id).where(
    _key.type == bindparam("kind"),
    _key.path == bindparam("key_path"),
    _key.value == bindparam("key_value"),
    _key.id != bindparam("which"),
)
_MEMBERS = select(_member.group_id, _member.member_id, _member.body).where(
    _member.group_id.in_(bindparam("groups", expanding=True))
)
_PRESENT = select(_member.member_id).where(
    _member.group_id == bindparam("which"),
    _member.member_id.in_(bindparam("part", expanding=True)),
)
_IDS_PER_STATEMENT = 500
"""SQLite limits the number of parameters of a statement."""
_INSERT = insert(tenant_resource)
_INSERT_KEYS = insert(tenant_key)
_INSERT_MEMBERS = insert(tenant_member)
_DELETE_KEYS = delete(tenant_key).where(_key.id == bindparam("which"))
_DELETE_MEMBERS = delete(tenant_member).where(
    _member.group_id == bindparam("which"), _member.member_id == bindparam("who")
)
_TOUCH = (
    update(tenant_resource)
    .where(_resource.id == bindparam("which"))
    .values(version=_resource.version + 1, modified=bindparam("now"))
)
_REWRITE = _TOUCH.values(body=bindparam("new_body"))


def find_resource(db: Connection, kind: str, resource_id: str) -> StoredResource | None:
    row = db.execute(_FIND, {"kind": kind, "which": resource_id}).first()
    return None if row is None else StoredResource(*row)


def read_members(db: Connection, groups: Sequence[str]) -> dict[str, Members]:
    """Return the members of each group, by the group's id."""
    members: dict[str, Members] = {each: {} for each in groups}
    for start in range(0, len(groups), _IDS_PER_STATEMENT):
        part = groups[start : start + _IDS_PER_STATEMENT]
        for group, member, body in db.execute(_MEMBERS, {"groups": part}):
            members[group][member] = body
    return members


def _require_unique(
    db: Connection, kind: str, resource_id: str, content: ResourceContent
) -> None:
    value = (content.keys or {}).get(content.unique_path or "")
    if value is None:
        return
    key = {"kind": kind, "key_path": content.unique_path, "key_value": value}
    if db.execute(_KEY_OWNER, {**key, "which": resource_id}).first():
        raise UniquenessConflict


def _insert_keys(
    db: Connection, kind: str, resource_id: str, content: ResourceContent
) -> None:
    rows = [
        {"type": kind, "path": path, "value": value, "id": resource_id}
        for path, value in (content.keys or {}).items()
    ]
    if rows:
        db.execute(_INSERT_KEYS, rows)


def insert_resource(
    db: Connection, row: StoredResource, content: ResourceContent
) -> None:
    _require_unique(db, row.type, row.id, content)
    db.execute(
        _INSERT,
        {
            "id": row.id,
            "type": row.type,
            "version": row.version,
            "created": row.created,
            "modified": row.modified,
            "body": row.body,
        },
    )
    _insert_keys(db, row.type, row.id, content)
    insert_members(db, row.id, content.members or {})


def rewrite_resource(
    db: Connection, row: StoredResource, content: ResourceContent, now: str
) -> None:
    db.execute(_REWRITE, {"which": row.id, "now": now, "new_body": content.body})
    if content.keys is not None:
        _require_unique(db, row.type, row.id, content)
        db.execute(_DELETE_KEYS, {"which": row.id})
        _insert_keys(db, row.type, row.id, content)


def touch_resource(db: Connection, resource_id: str, now: str) -> None:
    db.execute(_TOUCH, {"which": resource_id, "now": now})


def insert_members(db: Connection, group_id: str, members: Members) -> None:
    rows = [
        {"group_id": group_id, "member_id": member, "body": body}
        for member, body in members.items()
    ]
    if rows:
        db.execute(_INSERT_MEMBERS, rows)


def delete_members(db: Connection, group_id: str, members: Iterable[str]) -> None:
    rows = [{"which": group_id, "who": member} for member in members]
    if rows:
        db.execute(_DELETE_MEMBERS, rows)


def find_present_members(
    db: Connection, group_id: str, members: Sequence[str]
) -> frozenset[str]:
    """Return which of the ids are members of the group."""
    present: set[str] = set()
    for start in range(0, len(members), _IDS_PER_STATEMENT):
        part = members[start : start + _IDS_PER_STATEMENT]
        rows = db.execute(_PRESENT, {"which": group_id, "part": part})
        present.update(rows.scalars())
    return frozenset(present)


def delete_resource(db: Connection, resource_id: str, now: str) -> None:
    """Delete a resource, its keys and members, and its memberships in groups."""
    groups = select(_member.group_id).where(_member.member_id == resource_id)
    db.execute(
        update(tenant_resource)
        .where(_resource.id.in_(groups))
        .values(version=_resource.version + 1, modified=now)
    )
    db.execute(
        delete(tenant_member).where(
            (_member.member_id == resource_id) | (_member.group_id == resource_id)
        )
    )
    db.execute(_DELETE_KEYS, {"which": resource_id})
    db.execute(delete(tenant_resource).where(_resource.id == resource_id))


_COUNT = select(func.count()).select_from(tenant_resource)
_COUNT_TYPE = _COUNT.where(_resource.type == bindparam("kind"))


@cache
def _list_statement(*, typed: bool, key: str | None) -> Select[Any]:
    """Build each statement once: building takes longer than running."""
    statement = select(*RESOURCE_COLUMNS).where(_resource.sequence > bindparam("after"))
    owners = select(_key.id).where(
        _key.path == bindparam("key_path"), _key.value == bindparam("key_value")
    )
    if typed:
        statement = statement.where(_resource.type == bindparam("kind"))
        owners = owners.where(_key.type == bindparam("kind"))
    if key == "id":
        statement = statement.where(_resource.id == bindparam("key_value"))
    elif key is not None:
        statement = statement.where(_resource.id.in_(owners))
    return (
        statement.order_by(_resource.sequence)
        .offset(bindparam("skip"))
        .limit(bindparam("limit"))
    )


@dataclass(frozen=True)
class ResourceQuery:
    """Which resources to list, in order of creation; `kind` None means every type.

    `key` is a path and a value, in the form compared, that all of them have.
    """

    kind: str | None
    key: LookupKey | None = None
    after: int = 0
    skip: int = 0
    limit: int = 500


def list_resources(db: Connection, query: ResourceQuery) -> list[StoredResource]:
    path, value = query.key or (None, None)
    form = path if path in {None, "id"} else "key"
    rows = db.execute(
        _list_statement(typed=query.kind is not None, key=form),
        {
            "after": query.after,
            "skip": query.skip,
            "limit": query.limit,
            **({} if query.kind is None else {"kind": query.kind}),
            **({"key_value": value} if path else {}),
            **({"key_path": path} if form == "key" else {}),
        },
    )
    return [StoredResource(*row) for row in rows]


def count_resources(db: Connection, kind: str | None) -> int:
    if kind is None:
        return db.execute(_COUNT).scalar_one()
    return db.execute(_COUNT_TYPE, {"kind": kind}).scalar_one()
