"""Buses for previews: one in this process, and one that explains missing answers.

`plan` reads through the first what local agents will serve after `apply`: they run on
this host, so it may use their bindings before they are registered. Only the network
and the registration are left out; directory, answer and pages are the real ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloudforest.adapters.bus.memory import MemoryBus
from cloudforest.agent.answer import Responder
from cloudforest.agent.bindings import make_host_binding
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.control_plane.directories import open_directory
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports.bus import AgentBus, RequestHandler
from cloudforest.model.ports.directory import Directory
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.registration import Registration

PAGE_BYTES = 512 * 1024
_NO_BUS_ACCESS = BusAccess(
    urls=(), ca="", jwt="", expires=datetime.max.replace(tzinfo=UTC)
)


def _make_refusing_handler(error: CloudforestError) -> RequestHandler:
    async def refuse(_request: SyncRequest) -> AsyncIterator[Page]:
        raise error
        yield  # makes this a generator

    return refuse


@asynccontextmanager
async def open_preview_bus(
    registration: Registration, folder: Path
) -> AsyncIterator[MemoryBus]:
    """Open the domains of the local agents; files are relative to `folder`."""
    bus = MemoryBus()
    domains = registration.domains_by_name()
    async with AsyncExitStack() as stack:
        for agent in registration.agents:
            if agent.run != "local":
                continue
            listener = bus.add_listener(agent.name)
            stack.push_async_callback(listener.close)
            await listener.connect(_NO_BUS_ACCESS)
            directories: dict[str, Directory] = {}
            responder = Responder(agent.name, directories, page_bytes=PAGE_BYTES)
            for name in agent.domains:
                binding = make_host_binding(domains[name], folder)
                try:
                    directories[name] = open_directory(domains[name], binding)
                except CloudforestError as error:
                    await listener.listen(name, _make_refusing_handler(error))
                else:
                    stack.push_async_callback(directories[name].close)
                    await listener.listen(name, responder)
        yield bus


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
