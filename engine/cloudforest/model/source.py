"""Source rows, their links, and what is found in the target."""

from __future__ import annotations

from typing import Any, Literal

from cloudforest.base.values import Value
from cloudforest.model.program import ObjectType

FlatResource = dict[str, Any]
"""A resource as SCIM path -> JSON value, for example `{"name.givenName": "Zoë"}`."""

MatchValue = str | int | float | bool
"""The value of an attribute that resources are looked for by."""


Presence = Literal["in", "out", "gone", "unknown"]
"""What the directory last said of an object when it was asked by objectGUID."""
KEPT_PRESENCES = frozenset[Presence]({"in", "unknown"})
"""Objects with these presences keep their access."""

Origin = Literal["created", "adopted"]
"""How a resource came to be ours: made by us, or found in the target."""


class SourceObject(Value, frozen=True):
    """One object as last imported; see `messages.InScope` for the fields.

    `in` is in scope; `unknown` was, and now it is not found, which proves nothing: it
    is left as it was. `out` and `gone` are kept, without attributes, while linked.
    `doubted` are the attributes that it may hide: what they were is kept, if known.
    """

    object_guid: str
    type: ObjectType
    dn: str
    parent: str | None
    source_anchor: str
    attributes: dict[str, tuple[str, ...]]
    presence: Presence = "in"
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


class Link(Value, frozen=True):
    """A source object and its resource; `written` is what we last wrote.

    Not `checked`: a restart doubts it, so the next cycle looks at the resource itself.
    """

    object_guid: str
    type: ObjectType
    resource: str
    resource_type: str
    origin: Origin
    source_anchor: str
    last_written: FlatResource
    checked: bool = True


class TargetResource(Value, frozen=True):
    """A resource as found in the target, reduced to the paths asked for."""

    id: str
    values: FlatResource
