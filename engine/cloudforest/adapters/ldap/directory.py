"""The Directory port over LDAPS.

Change notification: a search that stays open and yields each entry that changes.

What an account must be granted to see deletions; nothing fails where it is not.

Measured on Samba: the entry CN=Deleted Objects is there for everybody, but bare; and
with Replicating Directory Changes alone no tombstone is ever reported.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Generator, Sequence

from cloudforest.adapters.directory_entries import (
    ALWAYS_READ,
    iterate_in_own_thread,
    iterate_in_thread,
    to_entry,
)
from cloudforest.adapters.ldap import access, dirsync, filters, members, search
from cloudforest.adapters.ldap.ber import (
    SearchResultDone,
    notification_control,
    paged_control,
    show_deleted_control,
)
from cloudforest.adapters.ldap.controllers import Controllers
from cloudforest.adapters.ldap.dirsync import DirSyncRead
from cloudforest.adapters.ldap.session import (
    BASE,
    LEVEL,
    SUBTREE,
    Account,
    Session,
    TlsSettings,
    make_broken_connection_error,
)
from cloudforest.base.secrets import Secret
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import (
    DirSyncCookie,
    Entry,
    EntryKind,
    GroupMembers,
)
from cloudforest.model.program import Filter, ObjectType

_REFUSALS = frozenset({2, 12, 50, 53})
"""protocolError, unavailableCriticalExtension, insufficientAccessRights,
unwillingToPerform (RFC 4511 4.1.9): it would say the same the next time."""


def wait_for_changes(session: Session, base: str) -> Generator[None, None, None]:
    """Yield at each change below the base; end where the server refuses to tell.

    Raises Unavailable when it ends the search for another reason, as when it stops.
    [MS-ADTS] 3.1.1.3.4.1.9 allows no other filter, and a subtree only at the head.
    """
    session.disable_timeout()
    told = session.search(
        base,
        SUBTREE,
        filter="(objectClass=*)",
        attributes=["objectGUID"],
        controls=[notification_control()],
    )
    ending = yield from _yield_per_entry(told)
    if ending.code not in _REFUSALS:
        reason = f"it ended the search for changes, LDAP result {ending.code}"
        raise make_broken_connection_error(session.controller, reason)


def _yield_per_entry(
    search: Generator[object, None, SearchResultDone],
) -> Generator[None, None, SearchResultDone]:
    while True:
        try:
            next(search)
        except StopIteration as stop:
            ending: SearchResultDone = stop.value
            return ending
        yield


REPLICATE_RIGHT = "Replicating Directory Changes"
SEE_DELETED_RIGHT = "read and list CN=Deleted Objects"


def _list_shown(session: Session, dn: str, scope: str, attribute: str) -> list[bool]:
    """Return one item for each entry: whether it shows the attribute."""
    asked = session.search(
        dn,
        scope,
        filter="(objectClass=*)",
        attributes=[attribute],
        controls=[show_deleted_control(), paged_control(1, b"")],
    )
    return [
        attribute.lower() in each.attributes
        for each in search.require_success(asked, session)
    ]


def can_see_deleted(session: Session, base: str) -> bool:
    """Tell whether tombstones are shown.

    Where there are none yet, the right to read the container must do as proof: nothing
    shows whether it could be listed.
    """
    container = f"CN=Deleted Objects,{base}"
    if _list_shown(session, container, LEVEL, "name"):
        return True
    return any(_list_shown(session, container, BASE, "objectClass"))


def _names_to_read(attributes: Sequence[str]) -> list[str]:
    return sorted({*ALWAYS_READ, *attributes})


def _kind_filter_text(kind: EntryKind, where: Filter | None) -> str:
    return filters.kind_filter(
        kind, None if where is None else filters.to_ldap_filter(where)
    )


def _decode_cookie(cookie: str | None) -> bytes:
    """Return the cookie; one that is not ours starts a full read."""
    try:
        return base64.b64decode(cookie or "", validate=True)
    except binascii.Error:
        return b""


class LdapDirectory:
    """One Active Directory domain.

    `controllers` are ldaps:// URLs in the order of preference.
    """

    def __init__(  # noqa: PLR0913 - what `activeDirectory:` says, and the domain
        self,
        domain: str,
        controllers: Sequence[str],
        *,
        ca: str | None,
        server_name: str | None,
        verify: bool,
        username: str,
        password: Secret,
    ) -> None:
        self.domain = domain
        self._controllers = Controllers(
            domain,
            controllers,
            TlsSettings(ca, server_name, verify),
            Account(username, password),
        )
        self._has_replication_right: bool | None = None
        self._base = ",".join(f"DC={label}" for label in domain.split("."))

    async def identify_domain(self) -> str:
        async with self._controllers.session() as session:
            return await asyncio.to_thread(search.read_domain_head, session, self._base)

    async def resolve_dns(self, dns: Sequence[str]) -> dict[str, str]:
        async with self._controllers.session() as session:
            return await asyncio.to_thread(search.resolve_dns, session, self._base, dns)

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        read = members.read_nested_members if nested else members.read_direct_members
        async with self._controllers.session() as session:
            return await asyncio.to_thread(read, session, self._base, group)

    async def read_changes(
        self,
        kind: EntryKind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,
    ) -> AsyncIterator[Entry | DirSyncCookie]:
        talk = DirSyncRead(
            base=self._base,
            filter=filters.kind_filter(kind),
            full_filter=_kind_filter_text(kind, where),
            attributes=_names_to_read(attributes),
            cookie=_decode_cookie(cookie),
        )
        assumed = None if kind == "container" else kind
        async with self._controllers.session() as session:
            reader = dirsync.read_changes(session, talk)
            async for found in iterate_in_thread(reader, abort=session.abort):
                each = to_entry(found, attributes, assumed_type=assumed)
                # A full read lists every tombstone: of objects that nobody asked about.
                if each is not None and not (each.is_deleted and talk.full):
                    yield each
        self._has_replication_right = talk.has_replication_right
        value = base64.b64encode(talk.cookie).decode()
        yield DirSyncCookie(value, is_complete=True, is_full=talk.full)

    async def read_subtree(
        self,
        container: str,
        kind: EntryKind,
        attributes: Sequence[str],
        where: Filter | None = None,
    ) -> AsyncIterator[Entry]:
        asked, wanted = _names_to_read(attributes), _kind_filter_text(kind, where)
        async with self._controllers.session() as session:
            reader = search.search_below(
                session, container, filter=wanted, attributes=asked
            )
            async for found in iterate_in_thread(reader, abort=session.abort):
                if (each := to_entry(found, attributes)) is not None:
                    yield each

    async def read_objects(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        asked = _names_to_read(attributes)
        async with self._controllers.session() as session:
            reader = search.read_objects(
                session, self._base, lookups=lookups, attributes=asked, kind=kind
            )
            async for found in iterate_in_thread(reader, abort=session.abort):
                if (each := to_entry(found, attributes)) is not None:
                    yield each

    async def find_proven_clear(
        self, guids: Sequence[str], attributes: Sequence[str]
    ) -> dict[str, frozenset[str]]:
        async with self._controllers.session() as session:
            return await asyncio.to_thread(
                access.find_proven_clear,
                session,
                self._base,
                guids=guids,
                names=attributes,
            )

    async def shows_all_members(self) -> bool:
        """Values that a controller sends in ranges are all fetched."""
        return True

    async def shows_all_values(self) -> bool:
        """Return False: a right may hide any of them."""
        return False

    async def list_missing_rights(self) -> tuple[str, ...]:
        """Whether it may replicate is what the last read of changes found out."""
        async with self._controllers.session() as session:
            sees = await asyncio.to_thread(can_see_deleted, session, self._base)
        lacks = (
            () if self._has_replication_right in {None, True} else (REPLICATE_RIGHT,)
        )
        return lacks if sees else (*lacks, SEE_DELETED_RIGHT)

    async def watch_changes(self) -> AsyncIterator[None]:
        async with self._controllers.session() as session:
            reader = wait_for_changes(session, self._base)
            async for _ in iterate_in_own_thread(reader, abort=session.abort):
                yield

    async def close(self) -> None:
        self._controllers.close()
