"""The directory, at the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, Protocol

from cloudforest.model.messages import Lookup
from cloudforest.model.program import Filter, ObjectType

EntryKind = ObjectType | Literal["container"]
"""What may be asked for: containers are those that objects lie in, OUs among them."""


@dataclass(frozen=True)
class Entry:
    """One directory object. GUIDs are canonical lower-case text.

    `attributes`: see `messages.InScope`; one without values was cleared, or
    changed and is hidden.
    `members` are the objectGUIDs added to a group, `former_members` those removed.
    `classes` are its objectClass values, in lower case. A `partial` entry of a delta
    holds only what changed: read the object again before saying what it is.
    """

    object_guid: str
    dn: str
    type: ObjectType | None
    classes: frozenset[str]
    parent: str | None
    is_deleted: bool
    attributes: Mapping[str, tuple[str, ...]]
    members: tuple[str, ...] = ()
    former_members: tuple[str, ...] = ()
    is_partial: bool = False


@dataclass(frozen=True)
class DirSyncCookie:
    """The end of a read: what the next one starts from, and whether all was said.

    `full`: everything was read, because nobody named a cookie or because it was
    refused.
    """

    value: str | None
    is_complete: bool
    is_full: bool = False


@dataclass(frozen=True)
class ForeignMember:
    """A member that lies in another domain of the forest.

    The directory knows its name, which may be an old one, and, unless it is an export,
    its objectGUID; not what it is.
    """

    dn: str
    object_guid: str | None = None


@dataclass(frozen=True)
class GroupMembers:
    """The members of a group that are of its own domain, by objectGUID.

    `nested` are the groups that were followed, none of which are `foreign`. `whole`: it
    certainly has no others; a group that shows no members may hide them.
    """

    ids: frozenset[str]
    nested: frozenset[str] = frozenset()
    is_complete: bool = True
    foreign: frozenset[ForeignMember] = frozenset()


class Directory(Protocol):
    """One domain. Raises Unavailable or Rejected with a sentence that names it."""

    async def identify_domain(self) -> str:
        """Return the objectGUID of the domain's head; it also proves the connection."""
        ...

    async def resolve_dns(self, dns: Sequence[str]) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        ...

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        """Return the members of the group with this DN, `nested` ones too if asked."""
        ...

    def read_changes(
        self,
        kind: EntryKind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,
    ) -> AsyncIterator[Entry | DirSyncCookie]:
        """Yield what changed since the cookie (None: everything), then one Cookie.

        Entries come as the directory sends them: never collected. A group may come
        several times, each time with a part of its members. A full read yields nothing
        that is deleted, and may leave out objects for which `where` does not hold; a
        delta names everybody, also who has just left the filter.
        """
        ...

    def read_subtree(
        self,
        container: str,
        kind: EntryKind,
        attributes: Sequence[str],
        where: Filter | None = None,
    ) -> AsyncIterator[Entry]:
        """Yield what lies in the subtree of the container with this objectGUID.

        Asked for containers, it is one of them. Objects for which `where` does not hold
        may be left out.
        """
        ...

    def read_objects(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        """Yield the objects named, deleted ones included; batched, not one by one.

        Those that are not of the `kind` may be left out.
        Members are those of the group now, if `member` is among the attributes. One
        that is proved to be gone may come with its objectGUID alone.
        """
        ...

    async def find_proven_clear(
        self, guids: Sequence[str], attributes: Sequence[str]
    ) -> Mapping[str, AbstractSet[str]]:
        """Return which attributes of these objects certainly have no values.

        That is, the account may read them, and there are none. Keyed by objectGUID; an
        object of which nothing is proved may be left out.
        """
        ...

    async def shows_all_members(self) -> bool:
        """Return whether a group that is read has no members but those named."""
        ...

    async def shows_all_values(self) -> bool:
        """Return whether an object that is read has no values but those shown."""
        ...

    async def list_missing_rights(self) -> tuple[str, ...]:
        """Return the rights that the account lacks to see what was deleted."""
        ...

    def watch_changes(self) -> AsyncIterator[None]:
        """Yield whenever something changed: a hint, never the truth.

        Ends where the directory can't tell; raises Unavailable when it stops telling.
        """
        ...

    async def close(self) -> None: ...
