"""One harness for every bus: the service, and agents that a test can kill."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.support.memory_bus import MemoryBus

from cloudforest.adapters.bus.agent import DeliverySettings, NatsListener
from cloudforest.adapters.bus.credentials import BusAuthority, open_bus_authority
from cloudforest.adapters.bus.server import BusServer
from cloudforest.adapters.bus.service import AnswerTimeouts, open_agent_bus
from cloudforest.base.clock import system_clock
from cloudforest.base.nkey import NKey, new_user_key
from cloudforest.hybrid.authority import open_authority
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Closing, OutOfScope, Page, SyncRequest
from cloudforest.model.ports.bus import AgentBus, ListenerBus, RequestHandler
from cloudforest.model.program import ScopeProgram

DOMAIN = "contoso.test"
PACE = DeliverySettings(keep_alive=0.1, resend_after=0.5, give_up_after=5)
PATIENCE = AnswerTimeouts(no_agent=0.5, retry=0.5, accept=20, idle=2, gap=5)


@dataclass
class Bus:
    """`agent` connects an agent; `kill` drops its connection without notice."""

    ask: AgentBus
    agent: Callable[..., Awaitable[ListenerBus]]
    kill: Callable[[ListenerBus], Awaitable[None]]


@dataclass
class RealBus:
    """A nats-server with its authority."""

    server: BusServer
    authority: BusAuthority

    def access(
        self,
        agent: str,
        domains: tuple[str, ...],
        *,
        key: NKey,
        lifetime: float = 60,
    ) -> BusAccess:
        return self.authority.mint_agent_access(
            agent,
            domains,
            nkey=key.public_key,
            endpoint=self.server.endpoint,
            now=system_clock(),
            lifetime=timedelta(seconds=lifetime),
        )


def server_pid(server: BusServer) -> int | None:
    return server._child.pid if server._child else None


@asynccontextmanager
async def running_server(folder: Path) -> AsyncIterator[RealBus]:
    now = system_clock()
    open_authority(folder / "keys", now).write_server_files(folder / "bus", now)
    authority = open_bus_authority(folder / "keys")
    server = BusServer(folder / "bus", authority)
    await server.start()
    try:
        yield RealBus(server, authority)
    finally:
        await server.stop()


@asynccontextmanager
async def nats_bus(folder: Path) -> AsyncIterator[Bus]:
    async with running_server(folder) as real, AsyncExitStack() as stack:
        service = await open_agent_bus(real.authority, real.server.endpoint, PATIENCE)
        stack.push_async_callback(service.close)

        async def agent(name: str, *domains: str) -> ListenerBus:
            key = new_user_key()
            listener = NatsListener(name, key, PACE)
            await listener.connect(real.access(name, domains, key=key))
            stack.push_async_callback(listener.close)
            return listener

        async def kill(listener: ListenerBus) -> None:
            assert isinstance(listener, NatsListener)
            await listener.close()

        yield Bus(service, agent, kill)


@asynccontextmanager
async def memory_bus(folder: Path) -> AsyncIterator[Bus]:
    del folder
    bus = MemoryBus()
    access = BusAccess(urls=(), ca="", jwt="", expires=system_clock())

    async def agent(name: str, *domains: str) -> ListenerBus:
        del domains
        listener = bus.add_listener(name)
        await listener.connect(access)
        return listener

    async def kill(listener: ListenerBus) -> None:
        await listener.close()

    yield Bus(bus, agent, kill)


def request_for(domain: str = DOMAIN) -> SyncRequest:
    return SyncRequest(
        id=uuid.uuid4().hex,
        job="people",
        domain=domain,
        kind="import",
        scope=ScopeProgram(types=("user",), organizational_units=None),
        attributes={"user": ("mail",)},
    )


def page(
    agent: str, request: SyncRequest, sequence: int, *, last: bool, records: int = 1
) -> Page:
    return Page(
        agent=agent,
        request=request.id,
        sequence=sequence,
        records=tuple(OutOfScope(id=str(uuid.uuid4())) for _ in range(records)),
        closing=Closing(complete=True, watermark="w1") if last else None,
    )


def pages(
    agent: str, count: int, *, records: int = 1, sent: list[int] | None = None
) -> RequestHandler:
    async def answer(request: SyncRequest) -> AsyncIterator[Page]:
        for number in range(count):
            if sent is not None:
                sent.append(number)
            yield page(
                agent, request, number, last=number == count - 1, records=records
            )
            await asyncio.sleep(0)

    return answer
