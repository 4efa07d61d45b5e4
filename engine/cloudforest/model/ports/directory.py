"""The directory as an agent reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, Protocol

from cloudforest.model.messages import Lookup
from cloudforest.model.program import Filter, ObjectType

EntryKind = ObjectType | Literal["container"]
"""The kind of entries to read; containers hold objects and include OUs."""


@dataclass(frozen=True)
class Entry:
    """One directory object. GUIDs are canonical lower-case text.

    `attributes`: see `messages.InScope`; an attribute without values was cleared, or
    changed and is hidden. `classes` are the objectClass values, in lower case.
    `members` are the objectGUIDs added to a group, `former_members` those removed.
    An entry of a delta that `is_partial` holds only changes: read the object again
    before deciding anything about it.
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
    """The end of a read: where the next one starts, and whether this one was complete.

    `is_full`: everything was read, because the cookie was missing or was refused.
    """

    value: str | None
    is_complete: bool
    is_full: bool = False


@dataclass(frozen=True)
class ForeignMember:
    """A member from another domain of the forest.

    The directory knows its DN, which may be outdated, and its objectGUID (unless the
    directory is an export), but not its type.
    """

    dn: str
    object_guid: str | None = None


@dataclass(frozen=True)
class GroupMembers:
    """The members of a group, by objectGUID; those of other domains are in `foreign`.

    `nested` are the groups that were followed; foreign groups are not. `is_complete`:
    the group certainly has no other members (a group that shows none may hide them).
    """

    ids: frozenset[str]
    nested: frozenset[str] = frozenset()
    is_complete: bool = True
    foreign: frozenset[ForeignMember] = frozenset()


class Directory(Protocol):
    """One domain. Methods raise Unavailable or Rejected; the message names it."""

    async def identify_domain(self) -> str:
        """Return the objectGUID of the domain root; this also tests the connection."""

    async def resolve_dns(self, dns: Sequence[str]) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, by the DN as given."""

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        """Return the members of the group with this DN; `nested`: of its groups too."""

    def read_changes(
        self,
        kind: EntryKind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,
    ) -> AsyncIterator[Entry | DirSyncCookie]:
        """Yield what changed since the cookie (None: everything), then a DirSyncCookie.

        Entries are streamed, never collected. A group may come several times, each time
        with a part of its members. A full read yields no deleted objects, and may leave
        out objects that do not match `where`; a delta yields every changed object, also
        those that no longer match.
        """

    def read_subtree(
        self,
        container: str,
        kind: EntryKind,
        attributes: Sequence[str],
        where: Filter | None = None,
    ) -> AsyncIterator[Entry]:
        """Yield the entries in the subtree of the container with this objectGUID.

        If `kind` is "container", the container itself is included. Objects that do not
        match `where` may be left out.
        """

    def read_objects(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        """Yield the objects of the lookups, deleted ones included, read in batches.

        Objects of another `kind` may be left out. If `member` is among the attributes,
        `members` are all current members. A deleted object may come with its objectGUID
        alone.
        """

    async def find_proven_clear(
        self, guids: Sequence[str], attributes: Sequence[str]
    ) -> Mapping[str, AbstractSet[str]]:
        """Return, by objectGUID, which attributes certainly have no values.

        The account may read these attributes, and they are empty. Objects without a
        proven attribute may be left out.
        """

    async def shows_all_members(self) -> bool:
        """Return whether a group that is read shows all its members."""

    async def shows_all_values(self) -> bool:
        """Return whether an object that is read shows all its values."""

    async def list_missing_rights(self) -> tuple[str, ...]:
        """Return the rights that the account lacks for seeing deleted objects."""

    def watch_changes(self) -> AsyncIterator[None]:
        """Yield whenever something may have changed.

        Ends if the directory cannot send notifications; raises Unavailable when it
        stops sending them.
        """

    async def close(self) -> None: ...
