"""Source objects, their links, and the resources of the target."""

from __future__ import annotations

from typing import Any, Literal

from cloudforest.base.values import Value
from cloudforest.model.program import ObjectType

FlatResource = dict[str, Any]
"""A resource as SCIM path -> JSON value, for example `{"name.givenName": "Zoë"}`."""

MatchValue = str | int | float | bool
"""The value of an attribute to match resources by."""

Presence = Literal["in", "out", "gone", "unknown"]
"""Where an object is, by the directory's last answer about its objectGUID."""
KEPT_PRESENCES = frozenset[Presence]({"in", "unknown"})
"""With these an object keeps its access: nothing proves that it left."""

Origin = Literal["created", "adopted"]
"""How we came to manage a resource: we created it, or found it in the target."""


class SourceObject(Value, frozen=True):
    """One object as last imported; `messages.InScope` describes the fields.

    `presence`: an `in` object is in scope. An `unknown` one was in scope and is no
    longer found, which proves nothing, so it stays unchanged. `out` and `gone` ones are
    kept, without attributes, while they are linked.

    `hidden` names the attributes that the directory may hide from us; their former
    values are kept, where known.
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
    """A source object and its resource, with the values that we wrote last.

    `checked` is False after a restart: the next cycle then reads the resource itself.
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
    """A resource of the target, reduced to the requested paths."""

    id: str
    values: FlatResource
