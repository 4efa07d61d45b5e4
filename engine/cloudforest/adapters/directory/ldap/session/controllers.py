"""The controllers of one domain: which of them is asked, and by whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event

from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.session.connection import connect
from cloudforest.adapters.directory.ldap.session.session import Session
from cloudforest.adapters.directory.ldap.session.trust import Account, Trust
from cloudforest.base.errors import CloudforestError, Misconfigured, Unavailable

IDLE_SECONDS = 5.0
"""A connection is used again for so long: to bind takes ten times as long as to ask."""


def _close_late(task: asyncio.Task[Session]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


class Controllers:
    """ldaps:// URLs, tried in order, the one that answered last before all others.

    A controller that can't be reached or verified is passed over; one that refuses the
    account is not, because the next one would only bring the account closer to being
    locked out.
    """

    def __init__(
        self, domain: str, urls: Sequence[str], trust: Trust, account: Account
    ) -> None:
        self._domain = domain
        self._urls = tuple(urls)
        self._last = self._urls[0]
        self._trust = trust
        self._account = account
        self._idle: list[tuple[float, Session]] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Give a session to one reader; what it left half read is not used again."""
        session = self._kept() or await self._connected()
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._idle.append((time.monotonic(), session))

    def _kept(self) -> Session | None:
        while self._idle:
            since, session = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and session.is_usable:
                return session
            session.close()
        return None

    def close(self) -> None:
        """Close what is kept for the next reader."""
        for _, session in self._idle:
            session.close()
        self._idle.clear()

    async def _connected(self) -> Session:
        """Connect in a thread, which can't be cancelled: a late session is closed."""
        wanted = Event()
        wanted.set()
        task = asyncio.create_task(asyncio.to_thread(self._connect, wanted))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            wanted.clear()
            task.add_done_callback(_close_late)
            raise

    def _connect(self, wanted: Event) -> Session:
        failed: list[CloudforestError] = []
        for controller in sorted(self._urls, key=lambda each: each != self._last):
            if not wanted.is_set():
                break  # The process can't end before its threads do.
            try:
                session = connect(controller, self._trust, self._account)
            except (Unavailable, Misconfigured) as error:
                failed.append(error)
            else:
                self._last = controller
                return session
        raise failures.all_failed(self._domain, failed)
