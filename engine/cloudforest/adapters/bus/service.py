"""One answer as it arrives: whose messages count, in which order, and for how long.

The bus as the provisioning service sees it: a request out, pages in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from nats.aio.msg import Msg

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.connection import Connection
from cloudforest.adapters.bus.credentials import BusAuthority, Endpoint
from cloudforest.base.clock import Clock
from cloudforest.base.errors import Interrupted, Unavailable
from cloudforest.base.nkey import new_user_key
from cloudforest.model.messages import Page, SyncRequest, encode_request

Say = Callable[[str, bytes], Awaitable[object]]
"""Sends to an agent, by id, a sequence number or `protocol.STOP`."""


@dataclass(frozen=True)
class Patience:
    """In seconds. `nobody` bridges the moment in which an agent renews itself.

    `page` is the longest that signs of life alone are believed; a directory may be
    silent for two minutes before the agent gives it up.
    """

    nobody: float = 2.0
    again: float = 2.0
    accept: float = 10.0
    idle: float = 30.0
    gap: float = 30.0
    page: float = 600.0


class Reading:
    """Only the agent that took the request is heard; others are told to stop."""

    def __init__(
        self, request: SyncRequest, agent: str, *, say: Say, patience: Patience
    ) -> None:
        self._request = request
        self._agent = agent
        self._say = say
        self._patience = patience
        self._expected = 0
        self._gap: float | None = None
        self._since = time.monotonic()

    async def pages(
        self, first: Msg, messages: asyncio.Queue[Msg]
    ) -> AsyncGenerator[Page]:
        """Yield pages in order; each is acknowledged when the next one is asked for."""
        message: Msg | None = first
        finished = False
        try:
            while message is not None and not finished:
                page = await self._take(message)
                if page is not None:
                    yield page
                    await self._acknowledge()
                    finished = page.closing is not None
                    self._since = time.monotonic()
                if not finished:
                    message = await self._next(messages)
            if not finished:
                raise self._interrupted("stopped answering")
        finally:
            if not finished:
                await self._say(self._agent, protocol.STOP)

    async def _take(self, message: Msg) -> Page | None:
        if message.data[:1] != protocol.PAGE:
            return None
        page = await asyncio.to_thread(protocol.unpack, message.data)
        if page.sequence == self._expected:
            self._expected += 1
            self._gap = None
            return page
        await self._out_of_turn(page.sequence)
        return None

    async def _next(self, messages: asyncio.Queue[Msg]) -> Msg | None:
        """Return what the agent says next; what others say is no sign of its life."""
        silent = time.monotonic() + self._patience.idle
        late = self._since + self._patience.page
        while (left := min(silent, late) - time.monotonic()) > 0:
            message = await next_message(messages, left)
            if message is None:
                continue
            speaker = protocol.agent_of(message.subject)
            if speaker == self._agent:
                return message
            await self._dismiss(speaker)
        if late < silent:
            raise self._interrupted(f"sent no page for {self._patience.page:g} seconds")
        return None

    async def _dismiss(self, speaker: str) -> None:
        if speaker != protocol.NOBODY:
            await self._say(speaker, protocol.STOP)

    async def _out_of_turn(self, sequence: int) -> None:
        if sequence < self._expected:
            # It came twice because our word about it was lost.
            await self._acknowledge()
            return
        now = time.monotonic()
        self._gap = self._gap or now
        if now - self._gap > self._patience.gap:
            raise self._interrupted(f"never sent page {self._expected}")

    async def _acknowledge(self) -> None:
        await self._say(self._agent, b"%d" % (self._expected - 1))

    def _interrupted(self, what: str) -> Interrupted:
        return Interrupted(
            f"The agent {self._agent} {what} in the middle of its answer about"
            f" {self._request.domain}, after {self._expected} pages;"
            " what is missing is asked for again."
        )


async def next_message(messages: asyncio.Queue[Msg], seconds: float) -> Msg | None:
    try:
        async with asyncio.timeout(seconds):
            return await messages.get()
    except TimeoutError:
        return None


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
