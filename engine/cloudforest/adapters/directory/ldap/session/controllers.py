"""The controllers of one domain: which of them is asked, and by whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.session.connection import Session, connect
from cloudforest.adapters.directory.ldap.session.trust import Account, Trust
from cloudforest.base.errors import CloudforestError, Misconfigured, Unavailable


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

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
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
        for controller in sorted(self._urls, key=lambda each: each != self._last):
            try:
                session = connect(controller, self._trust, self._account)
            except (Unavailable, Misconfigured) as error:
                failed.append(error)
            else:
                self._last = controller
                return session
        raise failures.all_failed(self._domain, failed)
