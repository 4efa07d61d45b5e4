"""A bus inside this process: how `plan` reads what local agents are yet to serve.

The tree's local agents are this host's own, so the host may read with their bindings
before they are registered. Directory, answer, pages and service are the real ones; only
the network and the registration are left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cloudforest.adapters.memory import MemoryBus
from cloudforest.agent.answer import Answer
from cloudforest.agent.bindings import binding_of
from cloudforest.base.errors import CloudforestError
from cloudforest.front.wiring.directories import open_directory
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports import Answerer, Directory
from cloudforest.model.registration import Agent, Domain, Registration

PAGE_BYTES = 512 * 1024
_NO_NETWORK = BusAccess(
    urls=(), ca="", jwt="", expires=datetime.max.replace(tzinfo=UTC)
)


@dataclass
class Previews:
    """Opens the domains of local agents as a registration has them."""

    folder: Path
    environment: Mapping[str, str]
    _opened: list[Directory] = field(default_factory=list)

    async def bus(self, registration: Registration) -> MemoryBus:
        bus = MemoryBus()
        domains = registration.domains()
        for agent in registration.agents:
            if agent.run == "local":
                await self._attach(bus, agent, domains)
        return bus

    async def _attach(
        self, bus: MemoryBus, agent: Agent, domains: Mapping[str, Domain]
    ) -> None:
        listener = bus.listener(agent.name)
        await listener.connect(_NO_NETWORK)
        for name in agent.domains:
            await listener.listen(name, self._answerer(agent, domains[name]))

    def _answerer(self, agent: Agent, domain: Domain) -> Answerer:
        binding = binding_of(domain, self.folder)
        try:
            directory = open_directory(domain, binding, self.environment)
        except CloudforestError as error:
            return _refusing(error)
        self._opened.append(directory)
        return Answer(agent.name, {domain.name: directory}, page_bytes=PAGE_BYTES)

    async def close(self) -> None:
        for directory in self._opened:
            await directory.close()
        self._opened.clear()


def _refusing(error: CloudforestError) -> Answerer:
    async def refuse(_request: SyncRequest) -> AsyncIterator[Page]:
        raise error
        yield  # what makes it a generator

    return refuse
