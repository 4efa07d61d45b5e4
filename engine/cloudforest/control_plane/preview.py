"""Buses for previews: one in this process, and one that explains missing answers.

`plan` reads through the first what local agents will serve after `apply`: they run on
this host, so it may use their bindings before they are registered. Only the network
and the registration are left out; directory, answer and pages are the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.adapters.bus.protocol import (
    make_interrupted_error,
    make_no_agent_error,
)
from cloudforest.agent.answer import Responder
from cloudforest.agent.bindings import make_host_binding
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.control_plane.directories import open_directory
from cloudforest.model.messages import PAGE_BYTES, Closing, Page, SyncRequest
from cloudforest.model.ports.bus import AgentBus, RequestHandler
from cloudforest.model.ports.directory import Directory
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.registration import Registration

WINDOW_PAGES = 4
"""Pages that may be read before the first of them is stored."""


@dataclass
class PreviewBus:
    """Answers in this process, by domain in lower case; see `AgentBus`."""

    handlers: dict[str, RequestHandler] = field(default_factory=dict)

    async def request_pages(self, request: SyncRequest) -> AsyncIterator[Page]:
        answer = self.handlers.get(request.domain.lower())
        if answer is None:
            raise make_no_agent_error(request.domain)
        pages: asyncio.Queue[Page | None] = asyncio.Queue()
        window = asyncio.Semaphore(WINDOW_PAGES)
        task = asyncio.create_task(_read_pages(request, answer(request), pages, window))
        count = 0
        try:
            while (page := await pages.get()) is not None:
                yield page
                window.release()
                count += 1
                if page.closing is not None:
                    return
        finally:
            task.cancel()
        cause = "The agent stopped answering"
        raise make_interrupted_error(cause, request.domain, count)

    async def receive_hints(self) -> AsyncIterator[str]:
        """Yield nothing: a preview does not wait for changes."""
        return
        yield


async def _read_pages(
    request: SyncRequest,
    answer: AsyncIterator[Page],
    pages: asyncio.Queue[Page | None],
    window: asyncio.Semaphore,
) -> None:
    following = 0
    try:
        async for page in answer:
            await window.acquire()
            pages.put_nowait(page)
            following = page.sequence + 1
    except CloudforestError as error:
        closing = Closing(complete=False, error=str(error))
        pages.put_nowait(
            Page(
                agent="preview", request=request.id, sequence=following, closing=closing
            )
        )
    finally:
        pages.put_nowait(None)


@asynccontextmanager
async def open_preview_bus(
    registration: Registration, folder: Path
) -> AsyncIterator[PreviewBus]:
    """Open the domains of the local agents; files are relative to `folder`."""
    bus, domains = PreviewBus(), registration.domains_by_name()
    async with AsyncExitStack() as stack:
        for agent in registration.agents:
            directories: dict[str, Directory] = {}
            responder = Responder(agent.name, directories, page_bytes=PAGE_BYTES)
            for name in agent.domains if agent.run == "local" else ():
                binding = make_host_binding(domains[name], folder)
                try:
                    directories[name] = open_directory(domains[name], binding)
                except CloudforestError as error:
                    bus.handlers[name.lower()] = _make_refusing_handler(error)
                else:
                    stack.push_async_callback(directories[name].close)
                    bus.handlers[name.lower()] = responder
        yield bus


def _make_refusing_handler(error: CloudforestError) -> RequestHandler:
    async def refuse(_request: SyncRequest) -> AsyncIterator[Page]:
        raise error
        yield  # makes this a generator

    return refuse


@dataclass(frozen=True)
class TroubleReportingBus:
    """Adds the troubles that agents report at bootstrap to errors of an `AgentBus`."""

    bus: AgentBus
    identities: IdentityStore

    def receive_hints(self) -> AsyncIterator[str]:
        return self.bus.receive_hints()

    async def request_pages(self, request: SyncRequest) -> AsyncIterator[Page]:
        try:
            async for page in self.bus.request_pages(request):
                yield page
        except Unavailable as error:
            troubles = [
                f'Agent "{agent.name}" reports: {agent.troubles[request.domain]}'
                for agent in await self.identities.list_agents()
                if agent.troubles and request.domain in agent.troubles
            ]
            # Keep the class: an `Interrupted` request is retried.
            raise type(error)(" ".join([str(error), *troubles])) from error
