"""The service bus, from both ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest

RequestHandler = Callable[[SyncRequest], AsyncIterator[Page]]
"""The agent's answer to a request: pages, none larger than the bus takes."""


class AgentBus(Protocol):
    """The bus as the provisioning service sees it."""

    def request_pages(self, request: SyncRequest) -> AsyncIterator[Page]:
        """Yield the pages in order, the closing one last.

        A page is acknowledged when the next one is asked for, so store it before.
        Raises Unavailable when no agent of the domain answers, and Interrupted when
        one stops midway.
        """
        ...

    def receive_hints(self) -> AsyncIterator[str]:
        """Yield the `domain_id` of a domain in which something has changed.

        Hints may be lost, may be repeated and name no object: a cycle finds out.
        """
        ...


class ListenerBus(Protocol):
    """The bus as an agent sees it: one outbound connection."""

    async def connect(self, access: BusAccess) -> None: ...

    async def renew_access(self, access: BusAccess) -> None:
        """Go on with a new credential, losing nothing."""
        ...

    async def listen(self, domain: str, answer: RequestHandler) -> None:
        """Subscribe to a domain's requests, sharing them with its other agents."""
        ...

    async def unlisten(self, domain: str) -> None: ...

    async def send_hint(self, domain: str) -> None:
        """Say that something has changed in a domain; nobody may hear it."""
        ...

    @property
    def is_connected(self) -> bool: ...

    async def close(self) -> None: ...
