"""The directory, at the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloudforest.model.messages import Lookup
from cloudforest.model.program import ObjectType


@dataclass(frozen=True)
class Entry:
    """One directory object. GUIDs are canonical lower-case text.

    `attributes`: see `messages.InScope`; an attribute without values is a cleared one.
    `members` are the objectGUIDs added to a group, `former_members` those removed.
    `classes` are its objectClass values, in lower case. A `partial` entry of a delta
    holds only what changed: read the object again before saying what it is.
    """

    guid: str
    dn: str
    type: ObjectType | None
    classes: frozenset[str]
    parent: str | None
    deleted: bool
    attributes: Mapping[str, tuple[str, ...]]
    members: tuple[str, ...] = ()
    former_members: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True)
class Cookie:
    """The end of a read: what the next one starts from, and whether all was said."""

    value: str | None
    complete: bool


class Directory(Protocol):
    """One domain. Raises Unavailable or Rejected with a sentence that names it."""

    async def identify(self) -> str:
        """Return the objectGUID of the domain's head; it also proves the connection."""
        ...

    async def resolve(self, dns: Sequence[str]) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        ...

    async def members(self, group: str, *, nested: bool) -> frozenset[str]:
        """Return the objectGUIDs of the members of the group with this DN."""
        ...

    def changes(
        self, kind: ObjectType, attributes: Sequence[str], cookie: str | None
    ) -> AsyncIterator[Entry | Cookie]:
        """Yield what changed since the cookie (None: everything), then one Cookie.

        Entries come as the directory sends them: never collected. A group may come
        several times, each time with a part of its members.
        """
        ...

    def read(
        self, lookups: Sequence[Lookup], attributes: Sequence[str]
    ) -> AsyncIterator[Entry]:
        """Yield the objects named, deleted ones included; batched, not one by one."""
        ...

    async def close(self) -> None: ...
