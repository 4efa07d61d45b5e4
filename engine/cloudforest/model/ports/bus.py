"""The service bus, from both ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest

RequestHandler = Callable[[SyncRequest], AsyncIterator[Page]]
"""Answers a request at the agent; no page is larger than the bus allows."""


class AgentBus(Protocol):
    """The bus as the provisioning service sees it."""

    def request_pages(self, request: SyncRequest) -> AsyncIterator[Page]:
        """Yield the pages in order, the closing one last.

        A page is acknowledged when the caller asks for the next one, so the caller must
        store it before. Raises Unavailable when no agent of the domain answers, and
        Interrupted when an agent stops midway.
        """

    def receive_hints(self) -> AsyncIterator[str]:
        """Yield the `domain_id` of each domain in which something has changed.

        Hints may be lost or repeated, and do not name objects.
        """


class ListenerBus(Protocol):
    """The bus as an agent sees it: one outbound connection."""

    async def connect(self, access: BusAccess) -> None: ...

    async def renew_access(self, access: BusAccess) -> None:
        """Switch to a new credential without losing messages."""

    async def listen(self, domain: str, answer: RequestHandler) -> None:
        """Subscribe to a domain's requests, shared with the domain's other agents."""

    async def unlisten(self, domain: str) -> None: ...

    async def send_hint(self, domain: str) -> None:
        """Send a hint that something has changed in a domain; it may be lost."""

    @property
    def is_connected(self) -> bool: ...

    async def close(self) -> None: ...
