"""The bus as the provisioning service sees it: a request out, pages in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from nats.aio.msg import Msg

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.connection import Connection
from cloudforest.adapters.bus.credentials import BusAuthority, Endpoint
from cloudforest.adapters.bus.reading import Patience, Reading, next_message
from cloudforest.base.clock import Clock
from cloudforest.base.errors import Unavailable
from cloudforest.base.nkey import new_user_key
from cloudforest.model.messages import Page, SyncRequest, encode_request

_QUEUED = 32


class NatsAgentBus:
    """See `model.ports.AgentBus`."""

    def __init__(self, connection: Connection, patience: Patience) -> None:
        self._connection = connection
        self._patience = patience

    async def ask(self, request: SyncRequest) -> AsyncGenerator[Page]:
        async def say(agent: str, word: bytes) -> None:
            inbox = protocol.acknowledgements(agent, request.id)
            await self._connection.publish(inbox, word)

        async with self._answers(request.id) as messages:
            agent, first = await self._offer(request, messages)
            reading = Reading(request, agent, say=say, patience=self._patience)
            async with aclosing(reading.pages(first, messages)) as pages:
                async for page in pages:
                    yield page

    async def hints(self) -> AsyncGenerator[str]:
        # The same domain twice is one hint, so this can't grow.
        heard: dict[str, None] = {}
        some = asyncio.Event()

        async def hear(message: Msg) -> None:
            heard[protocol.domain_of(message.subject)] = None
            some.set()

        subscription = await self._connection.subscribe(protocol.ALL_HINTS, hear)
        try:
            while True:
                await some.wait()
                while heard:
                    yield heard.popitem()[0]
                some.clear()
        finally:
            await self._connection.unsubscribe(subscription)

    @asynccontextmanager
    async def _answers(self, request: str) -> AsyncIterator[asyncio.Queue[Msg]]:
        messages: asyncio.Queue[Msg] = asyncio.Queue(_QUEUED)
        subscription = await self._connection.subscribe(
            protocol.answers("*", request), messages.put
        )
        try:
            yield messages
        finally:
            await self._connection.unsubscribe(subscription)

    async def _offer(
        self, request: SyncRequest, messages: asyncio.Queue[Msg]
    ) -> tuple[str, Msg]:
        """Return the agent that took the request and the first that it said."""
        began = time.monotonic()
        while time.monotonic() - began < self._patience.accept:
            await self._connection.publish(
                protocol.requests(request.domain),
                encode_request(request),
                reply=protocol.answers(protocol.NOBODY, request.id),
            )
            message = await next_message(messages, self._patience.again)
            if message is None:
                continue
            if protocol.agent_of(message.subject) != protocol.NOBODY:
                return protocol.agent_of(message.subject), message
            if time.monotonic() - began > self._patience.nobody:
                raise Unavailable(
                    f"No agent of the domain {request.domain} is connected;"
                    " `cloudforest status` lists the agents,"
                    " `cloudforest agent run NAME` starts one."
                )
            await asyncio.sleep(0.1)
        raise Unavailable(
            f"No agent of the domain {request.domain} took the request within"
            f" {self._patience.accept:g} seconds; look at the agents' logs."
        )

    def move(self, endpoint: Endpoint) -> None:
        """Find the bus again where it is now; what was under way is asked anew."""
        self._connection.move(endpoint.urls)

    async def close(self) -> None:
        await self._connection.close()


async def open_agent_bus(
    authority: BusAuthority,
    *,
    endpoint: Endpoint,
    clock: Clock,
    patience: Patience | None = None,
) -> NatsAgentBus:
    """Connect as the service; its key lives in memory only."""
    key = new_user_key()
    access = authority.service_access(key.public, endpoint=endpoint, now=clock())
    connection = Connection("provisioning service", key, access)
    await connection.open()
    return NatsAgentBus(connection, patience or Patience())
