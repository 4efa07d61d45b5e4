"""A bus inside this process: how `plan` reads what local agents are yet to serve.

The tree's local agents are this host's own, so the host may read with their bindings
before they are registered. Directory, answer, pages and service are the real ones; only
the network and the registration are left out.

A bus that says why no agent answered, where the agents have told it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloudforest.adapters.bus.memory import MemoryBus
from cloudforest.agent.answer import Answer
from cloudforest.agent.bindings import binding_of
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.control_plane.directories import open_directory
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports.bus import AgentBus, Answerer
from cloudforest.model.ports.directory import Directory
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.registration import Agent, Domain, Registration

PAGE_BYTES = 512 * 1024
_NO_NETWORK = BusAccess(
    urls=(), ca="", jwt="", expires=datetime.max.replace(tzinfo=UTC)
)


@dataclass(frozen=True)
class Previews:
    """Opens the domains of local agents as a registration has them."""

    folder: Path
    environment: Mapping[str, str]

    @asynccontextmanager
    async def bus(self, registration: Registration) -> AsyncIterator[MemoryBus]:
        bus = MemoryBus()
        domains = registration.domains()
        async with AsyncExitStack() as stack:
            for agent in registration.agents:
                if agent.run == "local":
                    listener = bus.listener(agent.name)
                    stack.push_async_callback(listener.close)
                    await listener.connect(_NO_NETWORK)
                    served = [domains[name] for name in agent.domains]
                    for name, answerer in self._answerers(agent, served, stack):
                        await listener.listen(name, answerer)
            yield bus

    def _answerers(
        self, agent: Agent, domains: Iterable[Domain], stack: AsyncExitStack
    ) -> Iterator[tuple[str, Answerer]]:
        directories: dict[str, Directory] = {}
        answer = Answer(agent.name, directories, page_bytes=PAGE_BYTES)
        for domain in domains:
            binding = binding_of(domain, self.folder)
            try:
                directory = open_directory(domain, binding, self.environment)
            except CloudforestError as error:
                yield domain.name, _refusing(error)
                continue
            stack.push_async_callback(directory.close)
            directories[domain.name] = directory
            yield domain.name, answer


def _refusing(error: CloudforestError) -> Answerer:
    async def refuse(_request: SyncRequest) -> AsyncIterator[Page]:
        raise error
        yield  # what makes it a generator

    return refuse


@dataclass(frozen=True)
class ExplainedBus:
    """See `model.ports.AgentBus`; agents tell their troubles when they bootstrap."""

    bus: AgentBus
    identities: IdentityStore

    def hints(self) -> AsyncIterator[str]:
        return self.bus.hints()

    async def ask(self, request: SyncRequest) -> AsyncIterator[Page]:
        try:
            async for page in self.bus.ask(request):
                yield page
        except Unavailable as error:
            troubles = [
                f"{agent.name} says: {agent.troubles[request.domain]}"
                for agent in await self.identities.agents()
                if agent.troubles and request.domain in agent.troubles
            ]
            # Of its kind still: who was interrupted is asked again.
            raise type(error)(" ".join([str(error), *troubles])) from error
