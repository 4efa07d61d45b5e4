"""An agent on a host in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.clock import ManualClock
from tests.support.memory_bus import MemoryBus, MemoryListener

from cloudforest.agent.bindings import HostBinding, make_host_binding
from cloudforest.agent.domains import ServedDomains
from cloudforest.agent.service import AgentService
from cloudforest.base.errors import CredentialRejected, Unavailable
from cloudforest.base.nkey import new_user_key
from cloudforest.model.identity import BootstrapResponse, BusAccess
from cloudforest.model.messages import Closing, Page, SyncRequest
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import (
    ActiveDirectory,
    Agent,
    Bind,
    Domain,
    SecretReference,
    Source,
    Tls,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LIFE = timedelta(minutes=30)


@dataclass
class Host:
    """The host of an agent: a control plane, a bus and a directory that can fail."""

    served: tuple[str, ...] = ("lab.test",)
    ldif: str = "data/lab.ldif"
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    bus: MemoryBus = field(default_factory=MemoryBus)
    control_away: bool = False
    directory_away: bool = False
    password_wrong: bool = False
    failure: str | None = None
    identify_takes: float = 0
    controllers: tuple[str, ...] = ()
    binds: int = 0
    bootstraps: int = 0
    watching: int = 0
    changed: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    opened: list[str] = field(default_factory=list)
    directories: Mapping[str, Directory] = field(default_factory=dict)
    id: str = "a1"

    def make_assertion(self, now: datetime) -> str:
        return f"proof of {now}"

    def renewal_request(self, _now: datetime) -> str | None:
        return None

    @property
    def bus_key(self):
        return new_user_key()

    @property
    def source(self) -> Source:
        if not self.controllers:
            return Source(ldif=self.ldif)
        directory = ActiveDirectory(
            controllers=self.controllers,
            tls=Tls(),
            bind=Bind(username="svc", password=SecretReference(env="PASSWORD")),
        )
        return Source(active_directory=directory)

    async def bootstrap(self, _request) -> BootstrapResponse:
        self.bootstraps += 1
        if self.control_away:
            raise Unavailable("The control plane does not answer.")
        return BootstrapResponse(
            agent=Agent(name="sync01", domains=self.served, run="remote"),
            domains=tuple(
                Domain(name=name, source=self.source) for name in self.served
            ),
            credentials={name: f"{name}/bind" for name in self.served},
            bus=BusAccess(urls=(), ca="", jwt="", expires=self.clock() + LIFE),
        )

    def open_directory(self, domain: Domain, binding: HostBinding):
        self.opened.append(f"{domain.name} {binding.ldif}")
        return self

    async def identify_domain(self) -> str:
        self.binds += 1
        if self.directory_away:
            raise Unavailable("dc1 does not answer.")
        if self.password_wrong:
            raise CredentialRejected("dc1 refused the account svc.")
        await asyncio.sleep(self.identify_takes)
        return "guid"

    async def watch_changes(self) -> AsyncIterator[None]:
        self.watching += 1
        try:
            while True:
                await self.changed.get()
                yield
        finally:
            self.watching -= 1

    async def close(self) -> None: ...

    def answers(self, directories: Mapping[str, Directory]):
        self.directories = directories

        async def answer(request: SyncRequest) -> AsyncIterator[Page]:
            yield Page(
                agent=self.id,
                request=request.id,
                sequence=0,
                closing=Closing(complete=self.failure is None, error=self.failure),
            )

        return answer

    def bindings(self) -> dict[str, HostBinding]:
        if self.controllers:
            domain = Domain(name="lab.test", source=self.source)
            return {"lab.test": make_host_binding(domain, Path("/t"))}
        return {"lab.test": HostBinding(ldif="/t/data/lab.ldif")}


def make_service(host: Host, listener: MemoryListener, **options) -> AgentService:
    return AgentService(
        identity=options.pop("identity", host),
        control=host,
        bus=listener,
        load_bindings=host.bindings,
        domains=ServedDomains(
            listener,
            open_directory=host.open_directory,
            answerer_factory=host.answers,
            clock=host.clock,
        ),
        clock=host.clock,
        **{"check_interval": 0.02, **options},
    )


@contextlib.asynccontextmanager
async def running(host: Host, **options) -> AsyncIterator[MemoryListener]:
    listener = host.bus.add_listener("a1")
    agent = make_service(host, listener, **options)
    stop = asyncio.Event()
    run = asyncio.create_task(agent.run(stop))
    try:
        yield listener
    finally:
        stop.set()
        await run
    assert not listener.is_connected


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
