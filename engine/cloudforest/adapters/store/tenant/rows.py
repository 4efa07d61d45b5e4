"""The rows of the embedded tenant directory: what is done inside one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from cloudforest.adapters.store.tables import (
    tenant_key,
    tenant_member,
    tenant_resource,
)
from cloudforest.adapters.store.tenant.content import (
    COLUMNS,
    Content,
    Members,
    Stored,
    Taken,
)

_resource, _key, _member = tenant_resource.c, tenant_key.c, tenant_member.c
_FIND = select(*COLUMNS).where(
    _resource.type == bindparam("kind"), _resource.id == bindparam("which")
)
_HOLDER = select(_key.id).where(
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
_AT_ONCE = 500
"""How many ids one statement asks for; SQLite takes a limited number."""
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


def find(connection: Connection, kind: str, which: str) -> Stored | None:
    row = connection.execute(_FIND, {"kind": kind, "which": which}).first()
    return None if row is None else Stored(*row)


def members_of(connection: Connection, groups: Sequence[str]) -> dict[str, Members]:
    """Return the members of each of the groups, by the group's id."""
    found: dict[str, Members] = {each: {} for each in groups}
    for start in range(0, len(groups), _AT_ONCE):
        part = groups[start : start + _AT_ONCE]
        for group, member, body in connection.execute(_MEMBERS, {"groups": part}):
            found[group][member] = body
    return found


def _claim(connection: Connection, kind: str, which: str, content: Content) -> None:
    value = (content.keys or {}).get(content.unique or "")
    if value is None:
        return
    wanted = {"kind": kind, "key_path": content.unique, "key_value": value}
    if connection.execute(_HOLDER, {**wanted, "which": which}).first():
        raise Taken


def _add_keys(connection: Connection, kind: str, which: str, content: Content) -> None:
    rows = [
        {"type": kind, "path": path, "value": value, "id": which}
        for path, value in (content.keys or {}).items()
    ]
    if rows:
        connection.execute(_INSERT_KEYS, rows)


def add(connection: Connection, row: Stored, content: Content) -> None:
    _claim(connection, row.type, row.id, content)
    connection.execute(
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
    _add_keys(connection, row.type, row.id, content)
    put_members(connection, row.id, content.members or {})


def rewrite(connection: Connection, row: Stored, content: Content, now: str) -> None:
    connection.execute(
        _REWRITE, {"which": row.id, "now": now, "new_body": content.body}
    )
    if content.keys is not None:
        _claim(connection, row.type, row.id, content)
        connection.execute(_DELETE_KEYS, {"which": row.id})
        _add_keys(connection, row.type, row.id, content)


def touch(connection: Connection, which: str, now: str) -> None:
    connection.execute(_TOUCH, {"which": which, "now": now})


def put_members(connection: Connection, which: str, members: Members) -> None:
    rows = [
        {"group_id": which, "member_id": member, "body": body}
        for member, body in members.items()
    ]
    if rows:
        connection.execute(_INSERT_MEMBERS, rows)


def take_members(connection: Connection, which: str, members: Iterable[str]) -> None:
    rows = [{"which": which, "who": member} for member in members]
    if rows:
        connection.execute(_DELETE_MEMBERS, rows)


def present_members(
    connection: Connection, which: str, members: Sequence[str]
) -> frozenset[str]:
    """Return those of the ids that are members, asking for a few hundred at a time."""
    found: set[str] = set()
    for start in range(0, len(members), _AT_ONCE):
        part = members[start : start + _AT_ONCE]
        rows = connection.execute(_PRESENT, {"which": which, "part": part})
        found.update(rows.scalars())
    return frozenset(found)


def remove(connection: Connection, which: str, now: str) -> None:
    """Delete a resource, what it holds, and its memberships in groups."""
    groups = select(_member.group_id).where(_member.member_id == which)
    connection.execute(
        update(tenant_resource)
        .where(_resource.id.in_(groups))
        .values(version=_resource.version + 1, modified=now)
    )
    connection.execute(
        delete(tenant_member).where(
            (_member.member_id == which) | (_member.group_id == which)
        )
    )
    connection.execute(_DELETE_KEYS, {"which": which})
    connection.execute(delete(tenant_resource).where(_resource.id == which))
