"""The Directory port over LDAPS: a connection per read, controllers in their order."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cloudforest.adapters.directory.entries import ALWAYS, entry
from cloudforest.adapters.directory.ldap import dirsync, failures, search
from cloudforest.adapters.directory.ldap.connection import Session, connect
from cloudforest.adapters.directory.ldap.dirsync import Conversation
from cloudforest.adapters.directory.ldap.trust import Account, Trust
from cloudforest.adapters.directory.stream import in_thread
from cloudforest.base.errors import CloudforestError, Misconfigured, Unavailable
from cloudforest.base.secrets import Secret
from cloudforest.model.messages import Lookup
from cloudforest.model.ports import Cookie, Entry
from cloudforest.model.program import ObjectType


def _close_late(task: asyncio.Task[Session]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _asked(attributes: Sequence[str]) -> list[str]:
    return sorted({*ALWAYS, *attributes})


def _decoded(cookie: str | None) -> bytes:
    """Return the cookie; one that is not ours starts a full read."""
    try:
        return base64.b64decode(cookie or "", validate=True)
    except binascii.Error:
        return b""


class LdapDirectory:
    """One Active Directory domain.

    `controllers` are ldaps:// URLs, tried in order, the one that answered last before
    all others. A controller that can't be reached or verified is passed over; one that
    refuses the account is not, because the next one would only bring the account closer
    to being locked out.
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
        self._controllers = tuple(controllers)
        self._last = self._controllers[0]
        self._trust = Trust(ca, server_name, verify)
        self._account = Account(username, password)
        self._base = ",".join(f"DC={label}" for label in domain.split("."))

    async def identify(self) -> str:
        async with self._session() as session:
            return await asyncio.to_thread(search.head, session, self._base)

    async def resolve(self, dns: Sequence[str]) -> dict[str, str]:
        async with self._session() as session:
            return await asyncio.to_thread(search.guids, session, self._base, dns)

    async def members(self, group: str, *, nested: bool) -> frozenset[str]:
        read = search.all_members if nested else search.direct_members
        async with self._session() as session:
            return await asyncio.to_thread(read, session, self._base, group)

    async def changes(
        self, kind: ObjectType, attributes: Sequence[str], cookie: str | None
    ) -> AsyncIterator[Entry | Cookie]:
        talk = Conversation(
            base=self._base,
            filter=f"(objectClass={kind})",
            attributes=_asked(attributes),
            cookie=_decoded(cookie),
        )
        async with self._session() as session:
            reader = dirsync.changes(session, talk)
            async for found in in_thread(reader, abort=session.abort):
                each = entry(found, attributes, assumed=kind)
                # A full read lists every tombstone: of objects that nobody asked about.
                if each is not None and not (each.deleted and cookie is None):
                    yield each
        yield Cookie(base64.b64encode(talk.cookie).decode(), complete=True)

    async def read(
        self, lookups: Sequence[Lookup], attributes: Sequence[str]
    ) -> AsyncIterator[Entry]:
        async with self._session() as session:
            reader = search.objects(
                session, self._base, lookups=lookups, attributes=_asked(attributes)
            )
            async for found in in_thread(reader, abort=session.abort):
                if (each := entry(found, attributes)) is not None:
                    yield each

    async def close(self) -> None:
        """Nothing is kept open between reads."""

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        session = await self._connected()
        try:
            yield session
        finally:
            session.close()

    async def _connected(self) -> Session:
        """Connect in a thread, which can't be cancelled: a late session is closed."""
        task = asyncio.create_task(asyncio.to_thread(self._connect))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_close_late)
            raise

    def _connect(self) -> Session:
        failed: list[CloudforestError] = []
        for controller in sorted(
            self._controllers, key=lambda each: each != self._last
        ):
            try:
                session = connect(controller, self._trust, self._account)
            except (Unavailable, Misconfigured) as error:
                failed.append(error)
            else:
                self._last = controller
                return session
        raise failures.all_failed(self.domain, failed)
