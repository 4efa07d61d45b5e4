"""Lists of the tenant directory: a page, or what an index says may match."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from cloudforest.adapters.store.tables import tenant_key, tenant_resource
from cloudforest.adapters.store.tenant.content import COLUMNS, Stored

Key = tuple[str, str]

_resource, _key = tenant_resource.c, tenant_key.c
_COUNT = select(func.count()).select_from(tenant_resource)
_COUNT_TYPE = _COUNT.where(_resource.type == bindparam("kind"))


@cache
def _listing(*, typed: bool, key: str | None) -> Select[Any]:
    """Return a statement once: to build it again takes longer than to run it."""
    statement = select(*COLUMNS).where(_resource.sequence > bindparam("after"))
    held = select(_key.id).where(
        _key.path == bindparam("key_path"), _key.value == bindparam("key_value")
    )
    if typed:
        statement = statement.where(_resource.type == bindparam("kind"))
        held = held.where(_key.type == bindparam("kind"))
    if key == "id":
        statement = statement.where(_resource.id == bindparam("key_value"))
    elif key is not None:
        statement = statement.where(_resource.id.in_(held))
    return (
        statement.order_by(_resource.sequence)
        .offset(bindparam("skip"))
        .limit(bindparam("limit"))
    )


@dataclass(frozen=True)
class Slice:
    """Which resources to list, in order of creation; `kind` None: of every type.

    `key` is a path and a value, as compared, that all of them have.
    """

    kind: str | None
    key: Key | None = None
    after: int = 0
    skip: int = 0
    limit: int = 500


def listed(connection: Connection, part: Slice) -> list[Stored]:
    path, value = part.key or (None, None)
    form = path if path in {None, "id"} else "key"
    rows = connection.execute(
        _listing(typed=part.kind is not None, key=form),
        {
            "after": part.after,
            "skip": part.skip,
            "limit": part.limit,
            **({} if part.kind is None else {"kind": part.kind}),
            **({"key_value": value} if path else {}),
            **({"key_path": path} if form == "key" else {}),
        },
    )
    return [Stored(*row) for row in rows]


def count(connection: Connection, kind: str | None) -> int:
    if kind is None:
        return connection.execute(_COUNT).scalar_one()
    return connection.execute(_COUNT_TYPE, {"kind": kind}).scalar_one()
