"""The directory port over LDAPS: one Active Directory domain.

It also waits for changes, and finds the rights that the account lacks to see deletions.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from cloudforest.adapters.directory_entries import (
    ALWAYS_READ,
    DirectoryEntry,
    iterate_in_thread,
    to_entry,
)
from cloudforest.adapters.ldap import access, dirsync, filters, members, search
from cloudforest.adapters.ldap.ber import NOTIFICATION, SHOW_DELETED, paged_control
from cloudforest.adapters.ldap.controllers import Controllers
from cloudforest.adapters.ldap.dirsync import DirSyncRead
from cloudforest.adapters.ldap.session import (
    BASE,
    LEVEL,
    SUBTREE,
    Session,
    make_broken_connection_error,
)
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import (
    DirSyncCookie,
    Entry,
    EntryKind,
    GroupMembers,
)
from cloudforest.model.program import Filter, ObjectType

P = ParamSpec("P")
T = TypeVar("T")
REPLICATE_RIGHT = "Replicating Directory Changes"
SEE_DELETED_RIGHT = "read and list CN=Deleted Objects"
_REFUSALS = frozenset({2, 12, 50, 53})
"""protocolError, unavailableCriticalExtension, insufficientAccessRights,
unwillingToPerform (RFC 4511 4.1.9): asking again would not help."""


def wait_for_changes(session: Session, base: str) -> Generator[object, None, None]:
    """Yield at each change below the base; end if the server refuses notifications.

    Raises Unavailable if it ends the search for another reason, such as a restart.
    [MS-ADTS] 3.1.1.3.4.1.9 allows no other filter, and a subtree only at the domain's
    head.
    """
    session.disable_timeout()
    # The server keeps this search open, and sends each entry that changes.
    ending = yield from session.search(
        base,
        SUBTREE,
        filter="(objectClass=*)",
        attributes=["objectGUID"],
        controls=[NOTIFICATION],
    )
    if ending.code not in _REFUSALS:
        reason = f"it ended the search for changes, LDAP result {ending.code}"
        raise make_broken_connection_error(session.controller, reason)


def _list_shown(session: Session, dn: str, scope: str, attribute: str) -> list[bool]:
    """Return for each entry whether it shows the attribute."""
    entries = search.search_entries(
        session,
        dn,
        scope,
        attributes=[attribute],
        controls=[SHOW_DELETED, paged_control(1, b"")],
    )
    return [attribute.lower() in each.attributes for each in entries]


def can_see_deleted(session: Session, base: str) -> bool:
    """Return whether the account sees tombstones.

    If the container is empty, the right to read it must do as proof: nothing shows
    whether the account could list it. Measured on Samba: everybody sees the entry
    CN=Deleted Objects, but without attributes; and with Replicating Directory Changes
    alone, no tombstone is ever reported.
    """
    container = f"CN=Deleted Objects,{base}"
    if _list_shown(session, container, LEVEL, "name"):
        return True
    return any(_list_shown(session, container, BASE, "objectClass"))


def _names_to_read(attributes: Sequence[str]) -> list[str]:
    return sorted({*ALWAYS_READ, *attributes})


def _decode_cookie(cookie: str | None) -> bytes:
    """Return the cookie; an invalid one becomes empty, which starts a full read."""
    try:
        return base64.b64decode(cookie or "", validate=True)
    except binascii.Error:
        return b""


class LdapDirectory:
    """One Active Directory domain, read from its controllers."""

    def __init__(self, controllers: Controllers) -> None:
        self._controllers = controllers
        self._has_replication_right = True
        labels = controllers.domain.split(".")
        self._base = ",".join(f"DC={label}" for label in labels)

    async def _call(
        self,
        function: Callable[Concatenate[Session, str, P], T],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Call a blocking function with a session and the domain's base."""
        async with self._controllers.session() as session:
            return await asyncio.to_thread(
                function, session, self._base, *args, **named
            )

    async def _read_entries(
        self,
        read: Callable[[Session], Generator[DirectoryEntry, None, None]],
        attributes: Sequence[str],
        assumed_type: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        async with self._controllers.session() as session:
            async for raw in iterate_in_thread(read(session), abort=session.abort):
                entry = to_entry(raw, attributes, assumed_type=assumed_type)
                if entry is not None:
                    yield entry

    async def identify_domain(self) -> str:
        return await self._call(search.read_domain_head)

    async def resolve_dns(self, dns: Sequence[str]) -> dict[str, str]:
        return await self._call(search.resolve_dns, dns)

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        return await self._call(members.read_members, group, nested=nested)

    async def read_changes(
        self,
        kind: EntryKind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,
    ) -> AsyncIterator[Entry | DirSyncCookie]:
        state = DirSyncRead(
            base=self._base,
            filter=filters.kind_filter(kind),
            full_filter=filters.kind_filter(kind, filters.to_ldap_filter(where)),
            attributes=_names_to_read(attributes),
            cookie=_decode_cookie(cookie),
        )
        entries = self._read_entries(
            lambda session: dirsync.read_changes(session, state),
            attributes,
            assumed_type=None if kind == "container" else kind,
        )
        async for entry in entries:
            # A full read lists every tombstone, also of objects never imported.
            if not (entry.is_deleted and state.full):
                yield entry
        self._has_replication_right = state.has_replication_right
        value = base64.b64encode(state.cookie).decode()
        yield DirSyncCookie(value, is_complete=True, is_full=state.full)

    def read_subtree(
        self,
        container: str,
        kind: EntryKind,
        attributes: Sequence[str],
        where: Filter | None = None,
    ) -> AsyncIterator[Entry]:
        read = partial(
            search.search_subtree,
            base=f"<GUID={container}>",
            filter=filters.kind_filter(kind, filters.to_ldap_filter(where)),
            attributes=_names_to_read(attributes),
        )
        return self._read_entries(read, attributes)

    def read_objects(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        read = partial(
            search.read_objects,
            base=self._base,
            lookups=lookups,
            attributes=_names_to_read(attributes),
            kind=kind,
        )
        return self._read_entries(read, attributes)

    async def find_proven_clear(
        self, guids: Sequence[str], attributes: Sequence[str]
    ) -> dict[str, frozenset[str]]:
        return await self._call(access.find_proven_clear, guids=guids, names=attributes)

    async def shows_all_members(self) -> bool:
        """Return True: values that a controller sends in ranges are all fetched."""
        return True

    async def shows_all_values(self) -> bool:
        """Return False: missing rights may hide any value."""
        return False

    async def list_missing_rights(self) -> tuple[str, ...]:
        """Return the missing rights; the last read of changes tested replication."""
        sees = await self._call(can_see_deleted)
        missing = () if self._has_replication_right else (REPLICATE_RIGHT,)
        return missing if sees else (*missing, SEE_DELETED_RIGHT)

    async def watch_changes(self) -> AsyncIterator[None]:
        async with self._controllers.session() as session:
            reader = wait_for_changes(session, self._base)
            changes = iterate_in_thread(reader, abort=session.abort, waits_long=True)
            async for _ in changes:
                yield

    async def close(self) -> None:
        self._controllers.close()
