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
from cloudforest.adapters.bus.connection import NatsConnection
from cloudforest.adapters.bus.credentials import BusAuthority, BusEndpoint
from cloudforest.base.clock import Clock
from cloudforest.base.errors import Interrupted, Unavailable
from cloudforest.base.nkey import new_user_key
from cloudforest.model.messages import Page, SyncRequest, encode_request

SendToAgent = Callable[[str, bytes], Awaitable[object]]
"""Sends to an agent, by id, a sequence number or `protocol.STOP`."""


@dataclass(frozen=True)
class AnswerTimeouts:
    """In seconds. `nobody` bridges the moment in which an agent renews itself.

    `page` is the longest that signs of life alone are believed; a directory may be
    silent for two minutes before the agent gives it up.
    """

    no_agent: float = 2.0
    retry: float = 2.0
    accept: float = 10.0
    idle: float = 30.0
    gap: float = 30.0
    page: float = 600.0


class AnswerReader:
    """Only the agent that took the request is heard; others are told to stop."""

    def __init__(
        self,
        request: SyncRequest,
        agent: str,
        *,
        send: SendToAgent,
        timeouts: AnswerTimeouts,
    ) -> None:
        self._request = request
        self._agent = agent
        self._send = send
        self._timeouts = timeouts
        self._next_sequence = 0
        self._gap_since: float | None = None
        self._last_page_at = time.monotonic()

    async def read_pages(
        self, first: Msg, messages: asyncio.Queue[Msg]
    ) -> AsyncGenerator[Page]:
        """Yield pages in order; each is acknowledged when the next one is asked for."""
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
                await self._send(self._agent, protocol.STOP)

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
        """Return what the agent says next; what others say is no sign of its life."""
        silent = time.monotonic() + self._timeouts.idle
        late = self._last_page_at + self._timeouts.page
        while (left := min(silent, late) - time.monotonic()) > 0:
            message = await next_message(messages, left)
            if message is None:
                continue
            speaker = protocol.answering_agent(message.subject)
            if speaker == self._agent:
                return message
            await self._stop_other_agent(speaker)
        if late < silent:
            raise self._make_interrupted_error(
                f"sent no page for {self._timeouts.page:g} seconds"
            )
        return None

    async def _stop_other_agent(self, speaker: str) -> None:
        if speaker != protocol.NO_AGENT:
            await self._send(speaker, protocol.STOP)

    async def _handle_out_of_order(self, sequence: int) -> None:
        if sequence < self._next_sequence:
            # It came twice because our word about it was lost.
            await self._acknowledge()
            return
        now = time.monotonic()
        self._gap_since = self._gap_since or now
        if now - self._gap_since > self._timeouts.gap:
            raise self._make_interrupted_error(f"never sent page {self._next_sequence}")

    async def _acknowledge(self) -> None:
        await self._send(self._agent, b"%d" % (self._next_sequence - 1))

    def _make_interrupted_error(self, what: str) -> Interrupted:
        return Interrupted(
            f"The agent {self._agent} {what} in the middle of its answer about"
            f" {self._request.domain}, after {self._next_sequence} pages;"
            " what is missing is asked for again."
        )


async def next_message(messages: asyncio.Queue[Msg], seconds: float) -> Msg | None:
    try:
        async with asyncio.timeout(seconds):
            return await messages.get()
    except TimeoutError:
        return None


_QUEUE_SIZE = 32


class NatsAgentBus:
    """See `model.ports.AgentBus`."""

    def __init__(self, connection: NatsConnection, timeouts: AnswerTimeouts) -> None:
        self._connection = connection
        self._timeouts = timeouts

    async def request_pages(self, request: SyncRequest) -> AsyncGenerator[Page]:
        async def say(agent: str, word: bytes) -> None:
            inbox = protocol.acknowledgement_subject(agent, request.id)
            await self._connection.publish(inbox, word)

        async with self._subscribe_answers(request.id) as messages:
            agent, first = await self._offer_request(request, messages)
            reading = AnswerReader(request, agent, send=say, timeouts=self._timeouts)
            async with aclosing(reading.read_pages(first, messages)) as pages:
                async for page in pages:
                    yield page

    async def receive_hints(self) -> AsyncGenerator[str]:
        # The same domain twice is one hint, so this can't grow.
        heard: dict[str, None] = {}
        some = asyncio.Event()

        async def hear(message: Msg) -> None:
            heard[protocol.change_hint_domain(message.subject)] = None
            some.set()

        subscription = await self._connection.subscribe(protocol.ALL_CHANGE_HINTS, hear)
        try:
            while True:
                await some.wait()
                while heard:
                    yield heard.popitem()[0]
                some.clear()
        finally:
            await self._connection.unsubscribe(subscription)

    @asynccontextmanager
    async def _subscribe_answers(
        self, request: str
    ) -> AsyncIterator[asyncio.Queue[Msg]]:
        messages: asyncio.Queue[Msg] = asyncio.Queue(_QUEUE_SIZE)
        subscription = await self._connection.subscribe(
            protocol.answer_subject("*", request), messages.put
        )
        try:
            yield messages
        finally:
            await self._connection.unsubscribe(subscription)

    async def _offer_request(
        self, request: SyncRequest, messages: asyncio.Queue[Msg]
    ) -> tuple[str, Msg]:
        """Return the agent that took the request and the first that it said."""
        began = time.monotonic()
        while time.monotonic() - began < self._timeouts.accept:
            await self._connection.publish(
                protocol.request_subject(request.domain),
                encode_request(request),
                reply=protocol.answer_subject(protocol.NO_AGENT, request.id),
            )
            message = await next_message(messages, self._timeouts.retry)
            if message is None:
                continue
            if protocol.answering_agent(message.subject) != protocol.NO_AGENT:
                return protocol.answering_agent(message.subject), message
            if time.monotonic() - began > self._timeouts.no_agent:
                raise Unavailable(
                    f"No agent of the domain {request.domain} is connected;"
                    " `cloudforest status` lists the agents,"
                    " `cloudforest agent run NAME` starts one."
                )
            await asyncio.sleep(0.1)
        raise Unavailable(
            f"No agent of the domain {request.domain} took the request within"
            f" {self._timeouts.accept:g} seconds; look at the agents' logs."
        )

    def set_endpoint(self, endpoint: BusEndpoint) -> None:
        """Find the bus again where it is now; what was under way is asked anew."""
        self._connection.set_servers(endpoint.urls)

    async def close(self) -> None:
        await self._connection.close()


async def open_agent_bus(
    authority: BusAuthority,
    *,
    endpoint: BusEndpoint,
    clock: Clock,
    timeouts: AnswerTimeouts | None = None,
) -> NatsAgentBus:
    """Connect as the service; its key lives in memory only."""
    key = new_user_key()
    access = authority.mint_service_access(
        key.public_key, endpoint=endpoint, now=clock()
    )
    connection = NatsConnection("provisioning service", key, access)
    await connection.open()
    return NatsAgentBus(connection, timeouts or AnswerTimeouts())
