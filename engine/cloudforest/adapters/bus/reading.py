"""One answer as it arrives: whose messages count, in which order, and for how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from nats.aio.msg import Msg

from cloudforest.adapters.bus import protocol
from cloudforest.base.errors import Interrupted
from cloudforest.model.messages import Page, SyncRequest

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
