"""What the tenant directory stores of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudforest.adapters.store.tables import tenant_resource

COLUMNS = (
    tenant_resource.c.sequence,
    tenant_resource.c.id,
    tenant_resource.c.type,
    tenant_resource.c.version,
    tenant_resource.c.created,
    tenant_resource.c.modified,
    tenant_resource.c.body,
)
"""In the order of the fields of `Stored`."""
Members = dict[str, bytes]
"""The members of a group by id; the value is the JSON of the whole member."""


class Taken(Exception):  # noqa: N818 - named for what happened
    """Another resource has a value that must be unique."""


@dataclass(frozen=True)
class Content:
    """What a client may write. `body` is a JSON object without id, meta and members.

    `keys` are what look-ups use: values by path, as they are compared; `unique` names
    the path that no two resources of a type share. None for `keys` and for `members`:
    as they are.
    """

    body: bytes
    keys: Mapping[str, str] | None
    unique: str | None = None
    members: Members | None = None


@dataclass(frozen=True)
class Stored:
    """A resource as stored; `members` is filled when they were asked for."""

    sequence: int
    id: str
    type: str
    version: int
    created: str
    modified: str
    body: bytes
    members: Members = field(default_factory=dict)
