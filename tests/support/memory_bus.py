"""The service bus within one process: the same guarantees without a network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from cloudforest.adapters.bus.protocol import (
    make_interrupted_error,
    make_no_agent_error,
)
from cloudforest.base.errors import CloudforestError
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Closing, Page, SyncRequest, domain_id
from cloudforest.model.ports.bus import RequestHandler

WINDOW_PAGES = 4
"""Pages that an agent may send before the service has stored them."""


@dataclass
class _Answer:
    pages: asyncio.Queue[Page | None] = field(default_factory=asyncio.Queue)
    window: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(WINDOW_PAGES)
    )


async def _read_pages(answer: _Answer, request: SyncRequest) -> AsyncIterator[Page]:
    expected = 0
    while (page := await answer.pages.get()) is not None:
        if page.sequence == expected:
            yield page
            expected += 1
            answer.window.release()
            if page.closing is not None:
                return
    raise make_interrupted_error(
        "The agent stopped answering", request.domain, expected
    )


class MemoryBus:
    """See `model.ports.bus.AgentBus`; `add_listener` returns an agent's end."""

    def __init__(self) -> None:
        self._listeners: list[MemoryListener] = []
        self._change_hint_queues: set[asyncio.Queue[str]] = set()

    def add_listener(self, agent: str) -> MemoryListener:
        listener = MemoryListener(agent, self._change_hint_queues)
        self._listeners.append(listener)
        return listener

    async def receive_hints(self) -> AsyncGenerator[str]:
        hints: asyncio.Queue[str] = asyncio.Queue()
        self._change_hint_queues.add(hints)
        try:
            while True:
                yield await hints.get()
        finally:
            self._change_hint_queues.discard(hints)

    async def request_pages(self, request: SyncRequest) -> AsyncGenerator[Page]:
        listeners = [
            each for each in self._listeners if each.is_listening_to(request.domain)
        ]
        if not listeners:
            raise make_no_agent_error(request.domain)
        listener = random.choice(listeners)
        answer = _Answer()
        task = listener.start_answer(request, answer)
        try:
            async for page in _read_pages(answer, request):
                yield page
        finally:
            task.cancel()


class MemoryListener:
    """See `model.ports.bus.ListenerBus`."""

    def __init__(
        self, agent: str, change_hint_queues: Collection[asyncio.Queue[str]]
    ) -> None:
        self._agent = agent
        self._change_hint_queues = change_hint_queues
        self._connected = False
        self._domains: dict[str, RequestHandler] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return self._connected

    async def connect(self, access: BusAccess) -> None:
        del access
        self._connected = True

    async def renew_access(self, access: BusAccess) -> None:
        await self.connect(access)

    async def listen(self, domain: str, answer: RequestHandler) -> None:
        self._domains[domain.lower()] = answer

    async def unlisten(self, domain: str) -> None:
        self._domains.pop(domain.lower(), None)

    async def send_hint(self, domain: str) -> None:
        for each in self._change_hint_queues if self._connected else ():
            each.put_nowait(domain_id(domain))

    async def close(self) -> None:
        self._connected = False
        self._domains.clear()
        for task in tuple(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def is_listening_to(self, domain: str) -> bool:
        return self._connected and domain.lower() in self._domains

    def start_answer(self, request: SyncRequest, answer: _Answer) -> asyncio.Task[None]:
        pages = self._domains[request.domain.lower()](request)
        task = asyncio.create_task(self._deliver_pages(request, pages, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver_pages(
        self, request: SyncRequest, pages: AsyncIterator[Page], answer: _Answer
    ) -> None:
        following = 0
        try:
            async for page in pages:
                await answer.window.acquire()
                answer.pages.put_nowait(page)
                following = page.sequence + 1
        except CloudforestError as error:
            answer.pages.put_nowait(
                Page(
                    agent=self._agent,
                    request=request.id,
                    sequence=following,
                    closing=Closing(complete=False, error=str(error)),
                )
            )
        finally:
            answer.pages.put_nowait(None)
