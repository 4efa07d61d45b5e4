"""Buses for previews: one in this process, and one that explains missing answers.

`plan` reads through the first what local agents will serve after `apply`: they run on
this host, so it may use their bindings before they are registered. Only the network
and the registration are left out; directory, answer and pages are the real ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
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
from cloudforest.model.messages import PAGE_BYTES, Page, SyncRequest
from cloudforest.model.ports.bus import AgentBus, RequestHandler
from cloudforest.model.ports.directory import Directory
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.registration import Agent, Domain, Registration

_NO_BUS_ACCESS = BusAccess(
    urls=(), ca="", jwt="", expires=datetime.max.replace(tzinfo=UTC)
)


def _make_refusing_handler(error: CloudforestError) -> RequestHandler:
    async def refuse(_request: SyncRequest) -> AsyncIterator[Page]:
        raise error
        yield  # makes this a generator

    return refuse


@dataclass(frozen=True)
class LocalPreviews:
    """Opens the domains of the local agents of a registration."""

    folder: Path
    environment: Mapping[str, str]

    @asynccontextmanager
    async def open_bus(self, registration: Registration) -> AsyncIterator[MemoryBus]:
        bus = MemoryBus()
        domains = registration.domains_by_name()
        async with AsyncExitStack() as stack:
            for agent in registration.agents:
                if agent.run == "local":
                    listener = bus.add_listener(agent.name)
                    stack.push_async_callback(listener.close)
                    await listener.connect(_NO_BUS_ACCESS)
                    served = [domains[name] for name in agent.domains]
                    for name, handler in self._open_handlers(agent, served, stack):
                        await listener.listen(name, handler)
            yield bus

    def _open_handlers(
        self, agent: Agent, domains: Iterable[Domain], stack: AsyncExitStack
    ) -> Iterator[tuple[str, RequestHandler]]:
        directories: dict[str, Directory] = {}
        responder = Responder(agent.name, directories, page_bytes=PAGE_BYTES)
        for domain in domains:
            binding = make_host_binding(domain, self.folder)
            try:
                directory = open_directory(domain, binding, self.environment)
            except CloudforestError as error:
                yield domain.name, _make_refusing_handler(error)
                continue
            stack.push_async_callback(directory.close)
            directories[domain.name] = directory
            yield domain.name, responder


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
