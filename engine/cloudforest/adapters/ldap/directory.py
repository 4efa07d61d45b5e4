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

from cloudforest.adapters.directory_entries import ALWAYS, entry, in_thread, signals
from cloudforest.adapters.ldap import access, dirsync, filters, members, search
from cloudforest.adapters.ldap.ber import Ending, notification, paged, show_deleted
from cloudforest.adapters.ldap.controllers import Controllers
from cloudforest.adapters.ldap.dirsync import Conversation
from cloudforest.adapters.ldap.session import (
    BASE,
    LEVEL,
    SUBTREE,
    Account,
    Session,
    Trust,
    broken,
)
from cloudforest.base.secrets import Secret
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Cookie, Entry, GroupMembers, Kind
from cloudforest.model.program import Filter, ObjectType

_REFUSALS = frozenset({2, 12, 50, 53})
"""protocolError, unavailableCriticalExtension, insufficientAccessRights,
unwillingToPerform (RFC 4511 4.1.9): it would say the same the next time."""


def changes(session: Session, base: str) -> Generator[None, None, None]:
    """Yield at each change below the base; end where the server refuses to tell.

    Raises Unavailable when it ends the search for another reason, as when it stops.
    [MS-ADTS] 3.1.1.3.4.1.9 allows no other filter, and a subtree only at the head.
    """
    session.wait_for_ever()
    told = session.search(
        base,
        SUBTREE,
        filter="(objectClass=*)",
        attributes=["objectGUID"],
        controls=[notification()],
    )
    ending = yield from _counted(told)
    if ending.code not in _REFUSALS:
        reason = f"it ended the search for changes, LDAP result {ending.code}"
        raise broken(session.controller, reason)


def _counted(told: Generator[object, None, Ending]) -> Generator[None, None, Ending]:
    while True:
        try:
            next(told)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending
        yield


REPLICATE = "Replicating Directory Changes"
SEE_DELETED = "read and list CN=Deleted Objects"


def _found(session: Session, dn: str, scope: str, attribute: str) -> list[bool]:
    """Return one item for each entry: whether it shows the attribute."""
    asked = session.search(
        dn,
        scope,
        filter="(objectClass=*)",
        attributes=[attribute],
        controls=[show_deleted(), paged(1, b"")],
    )
    return [
        attribute.lower() in each.attributes for each in search.checked(asked, session)
    ]


def sees_deleted(session: Session, base: str) -> bool:
    """Tell whether tombstones are shown.

    Where there are none yet, the right to read the container must do as proof: nothing
    shows whether it could be listed.
    """
    container = f"CN=Deleted Objects,{base}"
    if _found(session, container, LEVEL, "name"):
        return True
    return any(_found(session, container, BASE, "objectClass"))


def _asked(attributes: Sequence[str]) -> list[str]:
    return sorted({*ALWAYS, *attributes})


def _where(kind: Kind, where: Filter | None) -> str:
    return filters.of_kind(kind, None if where is None else filters.pushed(where))


def _decoded(cookie: str | None) -> bytes:
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
            Trust(ca, server_name, verify),
            Account(username, password),
        )
        self._may_replicate: bool | None = None
        self._base = ",".join(f"DC={label}" for label in domain.split("."))

    async def identify(self) -> str:
        async with self._controllers.session() as session:
            return await asyncio.to_thread(search.head, session, self._base)

    async def resolve(self, dns: Sequence[str]) -> dict[str, str]:
        async with self._controllers.session() as session:
            return await asyncio.to_thread(search.guids, session, self._base, dns)

    async def members(self, group: str, *, nested: bool) -> GroupMembers:
        read = members.nested if nested else members.direct
        async with self._controllers.session() as session:
            return await asyncio.to_thread(read, session, self._base, group)

    async def changes(
        self,
        kind: Kind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,
    ) -> AsyncIterator[Entry | Cookie]:
        talk = Conversation(
            base=self._base,
            filter=filters.of_kind(kind),
            filter_in_full=_where(kind, where),
            attributes=_asked(attributes),
            cookie=_decoded(cookie),
        )
        assumed = None if kind == "container" else kind
        async with self._controllers.session() as session:
            reader = dirsync.changes(session, talk)
            async for found in in_thread(reader, abort=session.abort):
                each = entry(found, attributes, assumed=assumed)
                # A full read lists every tombstone: of objects that nobody asked about.
                if each is not None and not (each.deleted and talk.full):
                    yield each
        self._may_replicate = talk.may_replicate
        value = base64.b64encode(talk.cookie).decode()
        yield Cookie(value, complete=True, full=talk.full)

    async def below(
        self,
        container: str,
        kind: Kind,
        attributes: Sequence[str],
        where: Filter | None = None,
    ) -> AsyncIterator[Entry]:
        asked, wanted = _asked(attributes), _where(kind, where)
        async with self._controllers.session() as session:
            reader = search.below(session, container, filter=wanted, attributes=asked)
            async for found in in_thread(reader, abort=session.abort):
                if (each := entry(found, attributes)) is not None:
                    yield each

    async def read(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        asked = _asked(attributes)
        async with self._controllers.session() as session:
            reader = search.objects(
                session, self._base, lookups=lookups, attributes=asked, kind=kind
            )
            async for found in in_thread(reader, abort=session.abort):
                if (each := entry(found, attributes)) is not None:
                    yield each

    async def empty(
        self, guids: Sequence[str], attributes: Sequence[str]
    ) -> dict[str, frozenset[str]]:
        async with self._controllers.session() as session:
            return await asyncio.to_thread(
                access.empty, session, self._base, guids=guids, names=attributes
            )

    async def shows_all(self) -> bool:
        """Values that a controller sends in ranges are all fetched."""
        return True

    async def shows_values(self) -> bool:
        """Return False: a right may hide any of them."""
        return False

    async def lacking(self) -> tuple[str, ...]:
        """Whether it may replicate is what the last read of changes found out."""
        async with self._controllers.session() as session:
            sees = await asyncio.to_thread(sees_deleted, session, self._base)
        lacks = () if self._may_replicate in {None, True} else (REPLICATE,)
        return lacks if sees else (*lacks, SEE_DELETED)

    async def watch(self) -> AsyncIterator[None]:
        async with self._controllers.session() as session:
            reader = changes(session, self._base)
            async for _ in signals(reader, abort=session.abort):
                yield

    async def close(self) -> None:
        self._controllers.close()
