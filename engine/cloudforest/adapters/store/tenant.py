"""The built-in directory: SCIM resources in their own SQLite file.

A group's members are rows, so that a change of 1 of 50,000 members writes 1 row.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

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

from cloudforest.adapters.store.database import Database, Row, StorePart, transaction
from cloudforest.adapters.store.tables import (
    tenant_key,
    tenant_member,
    tenant_metadata,
    tenant_resource,
)
from cloudforest.base.clock import system_clock

T = TypeVar("T")
LookupKey = tuple[str, str]
Members = dict[str, bytes]
"""The members of a group by id; each value is the JSON of the whole member."""


class UniquenessConflict(Exception):  # noqa: N818 - named for what happened
    """Another resource has a value that must be unique."""


class VersionMismatch(Exception):  # noqa: N818 - named for what happened
    """The resource is not at a version that the client named."""


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
    """A resource as stored; `members` is empty unless the caller asked for them.

    The other fields are in the order of the table's columns.
    """

    sequence: int
    id: str
    type: str
    version: int
    created: str
    modified: str
    body: bytes
    members: Members = field(default_factory=dict)


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


Revise = Callable[[StoredResource], ResourceContent | None]
_IDS_PER_STATEMENT = 500
"""SQLite limits the number of parameters of a statement."""

# Each statement is built once: building takes longer than running.
_resource, _key, _member = tenant_resource.c, tenant_key.c, tenant_member.c
_FIND = select(tenant_resource).where(
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
_COUNT = select(func.count()).select_from(tenant_resource)
_COUNT_TYPE = _COUNT.where(_resource.type == bindparam("kind"))
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


@cache
def _list_statement(*, typed: bool, key: str | None) -> Select[Any]:
    statement = select(tenant_resource).where(_resource.sequence > bindparam("after"))
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
    statement = statement.order_by(_resource.sequence)
    return statement.offset(bindparam("skip")).limit(bindparam("limit"))


def _read_now() -> str:
    return system_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _find(
    db: Connection, kind: str, id_: str, versions: frozenset[int] | None = None
) -> StoredResource | None:
    """Return the resource without members; raise VersionMismatch for other versions."""
    row = db.execute(_FIND, {"kind": kind, "which": id_}).first()
    if row is None:
        return None
    if versions is not None and row.version not in versions:
        raise VersionMismatch
    return StoredResource(*row)


def _add_members(
    db: Connection, rows: Sequence[StoredResource]
) -> list[StoredResource]:
    members: dict[str, Members] = {each.id: {} for each in rows}
    groups = list(members)
    for start in range(0, len(groups), _IDS_PER_STATEMENT):
        part = groups[start : start + _IDS_PER_STATEMENT]
        for group, member, body in db.execute(_MEMBERS, {"groups": part}):
            members[group][member] = body
    return [replace(each, members=members[each.id]) for each in rows]


def _insert_keys(db: Connection, kind: str, id_: str, content: ResourceContent) -> None:
    """Insert the keys of a resource; raise UniquenessConflict if its value is taken."""
    keys, path = content.keys or {}, content.unique_path
    if path is not None and path in keys:
        key = {"kind": kind, "key_path": path, "key_value": keys[path], "which": id_}
        if db.execute(_KEY_OWNER, key).first():
            raise UniquenessConflict
    rows = [
        {"type": kind, "path": path, "value": value, "id": id_}
        for path, value in keys.items()
    ]
    if rows:
        db.execute(_INSERT_KEYS, rows)


def _insert_members(db: Connection, group_id: str, members: Members) -> None:
    rows = [
        {"group_id": group_id, "member_id": member, "body": body}
        for member, body in members.items()
    ]
    if rows:
        db.execute(_INSERT_MEMBERS, rows)


def _delete_members(db: Connection, group_id: str, members: Iterable[str]) -> None:
    rows = [{"which": group_id, "who": member} for member in members]
    if rows:
        db.execute(_DELETE_MEMBERS, rows)


def _find_present_members(
    db: Connection, group_id: str, members: Sequence[str]
) -> set[str]:
    """Return which of the ids are members of the group."""
    present: set[str] = set()
    for start in range(0, len(members), _IDS_PER_STATEMENT):
        part = members[start : start + _IDS_PER_STATEMENT]
        present.update(db.scalars(_PRESENT, {"which": group_id, "part": part}))
    return present


class TenantDirectory(StorePart):
    """Users, groups and contacts; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Create the tables if they do not exist."""
        super().__init__(database)
        tenant_metadata.create_all(database.engine)

    async def run(self, work: Callable[[Connection], T]) -> T:
        # On the event loop on purpose: a transaction takes 0.2 ms, and the switch to a
        # thread takes longer (measured: 2000 reads/s here, 1200 in the worker thread).
        return self.database.run_now(work)

    @transaction
    def create(
        self, db: Connection, kind: str, content: ResourceContent
    ) -> StoredResource:
        """Store a new resource; raises UniquenessConflict."""
        now = _read_now()
        row: Row = {"id": str(uuid.uuid4()), "type": kind, "version": 1}
        row |= {"created": now, "modified": now, "body": content.body}
        members = content.members or {}
        _insert_keys(db, kind, row["id"], content)
        db.execute(_INSERT, row)
        _insert_members(db, row["id"], members)
        return StoredResource(sequence=0, **row, members=members)

    @transaction
    def get(
        self, db: Connection, kind: str, id_: str, *, members: bool
    ) -> StoredResource | None:
        row = _find(db, kind, id_)
        return _add_members(db, [row])[0] if row and members else row

    @transaction
    def revise(
        self,
        db: Connection,
        kind: str,
        id_: str,
        revise: Revise,
        *,
        members: bool,
        versions: frozenset[int] | None,
    ) -> StoredResource | None:
        """Rewrite a resource by `revise`, which may raise or return None: no change.

        Returns the resource afterwards, or None if it does not exist. Raises
        UniquenessConflict, and VersionMismatch unless its version is in `versions`.
        """
        now = _read_now()
        row = _find(db, kind, id_, versions)
        if row is None:
            return None
        if members:
            [row] = _add_members(db, [row])
        content = revise(row)
        if content is None:
            return row
        db.execute(_REWRITE, {"which": id_, "now": now, "new_body": content.body})
        if content.keys is not None:
            db.execute(_DELETE_KEYS, {"which": id_})
            _insert_keys(db, kind, id_, content)
        before = row.members
        after = before if content.members is None else content.members
        changed = {
            each: after[each] for each in after if before.get(each) != after[each]
        }
        gone = [each for each in before if each not in after or each in changed]
        _delete_members(db, id_, gone)
        _insert_members(db, id_, changed)
        return replace(
            row, version=row.version + 1, modified=now, body=content.body, members=after
        )

    @transaction
    def change_members(
        self,
        db: Connection,
        kind: str,
        id_: str,
        *,
        add: Members,
        remove: Sequence[str],
        versions: frozenset[int] | None,
    ) -> StoredResource | None:
        """Add, then remove members, writing only their rows; otherwise as `revise`."""
        now = _read_now()
        row = _find(db, kind, id_, versions)
        if row is None:
            return None
        present = _find_present_members(db, id_, [*add, *remove])
        new = {each: add[each] for each in add if each not in present}
        gone = [each for each in remove if each in present or each in new]
        if not (new or gone):
            return row
        _insert_members(db, id_, new)
        _delete_members(db, id_, gone)
        db.execute(_TOUCH, {"which": id_, "now": now})
        return replace(row, version=row.version + 1, modified=now)

    @transaction
    def delete(
        self, db: Connection, kind: str, id_: str, *, versions: frozenset[int] | None
    ) -> bool:
        """Delete a resource and its memberships; return whether it existed."""
        if _find(db, kind, id_, versions) is None:
            return False
        groups = select(_member.group_id).where(_member.member_id == id_)
        db.execute(
            update(tenant_resource)
            .where(_resource.id.in_(groups))
            .values(version=_resource.version + 1, modified=_read_now())
        )
        memberships = (_member.member_id == id_) | (_member.group_id == id_)
        db.execute(delete(tenant_member).where(memberships))
        db.execute(_DELETE_KEYS, {"which": id_})
        db.execute(delete(tenant_resource).where(_resource.id == id_))
        return True

    @transaction
    def count(self, db: Connection, kind: str | None) -> int:
        """Count the resources of one type, or of all."""
        if kind is None:
            return db.execute(_COUNT).scalar_one()
        return db.execute(_COUNT_TYPE, {"kind": kind}).scalar_one()

    @transaction
    def list_resources(
        self, db: Connection, query: ResourceQuery, *, members: bool
    ) -> list[StoredResource]:
        path, value = query.key or (None, None)
        form = path if path in {None, "id"} else "key"
        found = db.execute(
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
        rows = [StoredResource(*row) for row in found]
        return _add_members(db, rows) if members else rows
