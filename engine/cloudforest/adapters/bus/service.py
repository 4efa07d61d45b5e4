"""The service's end of the bus: send a request, and read the pages of its answer.

One agent answers; its pages are read in order, and within time limits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.connection import NatsConnection
from cloudforest.adapters.bus.credentials import BusAuthority, BusEndpoint
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Interrupted, Unavailable
from cloudforest.base.nkey import new_user_key
from cloudforest.model.messages import Page, SyncRequest, encode_request

SendToAgent = Callable[[str, bytes], Awaitable[object]]
"""Sends a sequence number or `protocol.STOP` to the agent with this id."""

_QUEUE_SIZE = 32


@dataclass(frozen=True)
class AnswerTimeouts:
    """In seconds. `no_agent` bridges the moment in which an agent renews its access.

    `page` limits how long keep-alives alone are accepted. A directory may be silent for
    two minutes before the agent gives up.
    """

    no_agent: float = 2.0
    retry: float = 2.0
    accept: float = 10.0
    idle: float = 30.0
    gap: float = 30.0
    page: float = 600.0


@dataclass
class AnswerReader:
    """Reads from the agent that accepted the request; other agents are told to stop."""

    request: SyncRequest
    agent: str
    send: SendToAgent
    timeouts: AnswerTimeouts
    _next_sequence: int = 0
    _gap_since: float | None = None
    _last_page_at: float = field(default_factory=time.monotonic)

    async def read_pages(
        self, first: Msg, messages: asyncio.Queue[Msg]
    ) -> AsyncGenerator[Page]:
        """Yield pages in order; asking for the next one acknowledges a page."""
        message: Msg | None = first
        finished = False
        try:
            while message is not None and not finished:
                page = await self._take_page(message)
                if page is not None:
                    yield page
                    await self._acknowledge()
                    finished = page.closing is not None
                    self._last_page_at = time.monotonic()
                if not finished:
                    message = await self._next_from_agent(messages)
            if not finished:
                raise self._make_interrupted_error("stopped answering")
        finally:
            if not finished:
                await self.send(self.agent, protocol.STOP)

    async def _take_page(self, message: Msg) -> Page | None:
        if message.data[:1] != protocol.PAGE:
            return None
        page = await asyncio.to_thread(protocol.unpack_page, message.data)
        if page.sequence == self._next_sequence:
            self._next_sequence += 1
            self._gap_since = None
            return page
        await self._handle_out_of_order(page.sequence)
        return None

    async def _next_from_agent(self, messages: asyncio.Queue[Msg]) -> Msg | None:
        """Return the agent's next message; messages of other agents do not count."""
        silent = time.monotonic() + self.timeouts.idle
        late = self._last_page_at + self.timeouts.page
        while (left := min(silent, late) - time.monotonic()) > 0:
            message = await next_message(messages, left)
            if message is None:
                continue
            speaker = protocol.answering_agent(message.subject)
            if speaker == self.agent:
                return message
            if speaker != protocol.NO_AGENT:
                await self.send(speaker, protocol.STOP)
        if late < silent:
            limit = f"{self.timeouts.page:g} seconds"
            raise self._make_interrupted_error(f"sent no page for {limit}")
        return None

    async def _handle_out_of_order(self, sequence: int) -> None:
        if sequence < self._next_sequence:
            # It came twice because our acknowledgement was lost.
            await self._acknowledge()
            return
        now = time.monotonic()
        self._gap_since = self._gap_since or now
        if now - self._gap_since > self.timeouts.gap:
            raise self._make_interrupted_error(f"never sent page {self._next_sequence}")

    async def _acknowledge(self) -> None:
        await self.send(self.agent, b"%d" % (self._next_sequence - 1))

    def _make_interrupted_error(self, what: str) -> Interrupted:
        cause, domain = f'The agent "{self.agent}" {what}', self.request.domain
        return protocol.make_interrupted_error(cause, domain, self._next_sequence)


async def next_message(messages: asyncio.Queue[Msg], seconds: float) -> Msg | None:
    try:
        async with asyncio.timeout(seconds):
            return await messages.get()
    except TimeoutError:
        return None


@dataclass
class NatsAgentBus:
    """See `model.ports.bus.AgentBus`."""

    _connection: NatsConnection
    timeouts: AnswerTimeouts

    async def request_pages(self, request: SyncRequest) -> AsyncGenerator[Page]:
        async def send(agent: str, message: bytes) -> None:
            inbox = protocol.acknowledgement_subject(agent, request.id)
            await self._connection.publish(inbox, message)

        async with self._subscribe_answers(request.id) as messages:
            agent, first = await self._offer_request(request, messages)
            reader = AnswerReader(request, agent, send=send, timeouts=self.timeouts)
            async with aclosing(reader.read_pages(first, messages)) as pages:
                async for page in pages:
                    yield page

    async def receive_hints(self) -> AsyncGenerator[str]:
        # Hints for the same domain are merged, so this cannot grow without limit.
        domains: dict[str, None] = {}
        arrived = asyncio.Event()

        async def receive(message: Msg) -> None:
            domains[protocol.last_id(message.subject)] = None
            arrived.set()

        subject = protocol.ALL_CHANGE_HINTS
        subscription = await self._connection.subscribe(subject, receive)
        try:
            while True:
                await arrived.wait()
                while domains:
                    yield domains.popitem()[0]
                arrived.clear()
        finally:
            await self._connection.unsubscribe(subscription)

    @asynccontextmanager
    async def _subscribe_answers(
        self, request: str
    ) -> AsyncIterator[asyncio.Queue[Msg]]:
        messages: asyncio.Queue[Msg] = asyncio.Queue(_QUEUE_SIZE)
        subject = protocol.answer_subject("*", request)
        subscription = await self._connection.subscribe(subject, messages.put)
        try:
            yield messages
        finally:
            await self._connection.unsubscribe(subscription)

    async def _offer_request(
        self, request: SyncRequest, messages: asyncio.Queue[Msg]
    ) -> tuple[str, Msg]:
        """Return the agent that accepted the request, and its first message."""
        began = time.monotonic()
        while time.monotonic() - began < self.timeouts.accept:
            await self._connection.publish(
                protocol.request_subject(request.domain),
                encode_request(request),
                reply=protocol.answer_subject(protocol.NO_AGENT, request.id),
            )
            message = await next_message(messages, self.timeouts.retry)
            if message is None:
                continue
            agent = protocol.answering_agent(message.subject)
            if agent != protocol.NO_AGENT:
                return agent, message
            if time.monotonic() - began > self.timeouts.no_agent:
                raise protocol.make_no_agent_error(request.domain)
            await asyncio.sleep(0.1)
        raise Unavailable(
            f"No agent of the domain {request.domain} accepted the request within"
            f" {self.timeouts.accept:g} seconds. Check the agents' logs."
        )

    def set_endpoint(self, endpoint: BusEndpoint) -> None:
        """Reconnect to where the bus is now; interrupted requests are repeated."""
        self._connection.set_servers(endpoint.urls)

    async def close(self) -> None:
        await self._connection.close()


async def open_agent_bus(
    authority: BusAuthority,
    endpoint: BusEndpoint,
    timeouts: AnswerTimeouts = AnswerTimeouts(),
) -> NatsAgentBus:
    """Connect as the service; its key lives in memory only."""
    key, now = new_user_key(), system_clock()
    access = authority.mint_service_access(key.public_key, endpoint=endpoint, now=now)
    connection = NatsConnection("provisioning service", key, access)
    await connection.open()
    return NatsAgentBus(connection, timeouts)
