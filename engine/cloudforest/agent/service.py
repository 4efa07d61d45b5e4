"""The agent's machine: it keeps its bus, its configuration and its directories.

When to bootstrap: at intervals, before a credential ends, and after failures.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

import cloudforest
from cloudforest.agent.bindings import Bindings
from cloudforest.agent.domains import AnswerFactory, Domains, OpenDirectory
from cloudforest.agent.identity import AgentIdentity, ControlPlane
from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError
from cloudforest.model.identity import BootstrapRequest, BootstrapResponse
from cloudforest.model.ports.bus import ListenerBus

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 120.0


@dataclass(frozen=True)
class Lease:
    """A bus credential in use. nats-py does not survive its end, so leave earlier."""

    taken: datetime
    expires: datetime

    def renew_at(self) -> datetime:
        return self.taken + (self.expires - self.taken) * 2 / 3


def seconds_until_next(now: datetime, lease: Lease | None, every: float) -> float:
    """Return the seconds to wait after a bootstrap that went well."""
    if lease is None:
        return every
    remaining = max((lease.renew_at() - now).total_seconds(), 0.0)
    return min(every, remaining)


def pause_after(failures: int) -> float:
    """Return seconds: exponential, with jitter so that agents do not come together."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 20))
    return random.uniform(longest / 2, longest)  # noqa: S311 - it spreads load


BUS_LOOK_SECONDS = 0.5

log = structlog.get_logger()


@dataclass(kw_only=True)
class AgentService:
    """Runs until it is told to stop; control plane and bus may come and go meanwhile.

    `bindings` is read again at each bootstrap. `bootstrap_every` and `check_every` are
    in seconds.
    """

    identity: AgentIdentity
    control: ControlPlane
    bus: ListenerBus
    bindings: Callable[[], Bindings]
    open_directory: OpenDirectory
    answer_factory: AnswerFactory
    clock: Clock
    bootstrap_every: float = 600
    check_every: float = 15
    _lease: Lease | None = None
    _granted: tuple[str, ...] | None = None
    _configured: bool = False
    _told: dict[str, str] | None = None
    _failures: int = 0
    _connections: int = 0
    _due: asyncio.Event = field(default_factory=asyncio.Event)
    _domains: Domains = field(init=False)

    def __post_init__(self) -> None:
        self._domains = Domains(
            self.bus,
            open_directory=self.open_directory,
            answer_factory=self.answer_factory,
            clock=self.clock,
        )

    async def run(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(work, name=name)
                    for name, work in self._side_tasks().items()
                ]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            await self._domains.close()
            await self.bus.close()

    def _side_tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            "bootstrap": self._keep_bootstrapped(),
            "bus": self._watch_bus(),
            "directories": self._keep_checked(),
        }

    async def _keep_bootstrapped(self) -> None:
        while True:
            pause = await self._bootstrap()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._due.wait()

    async def _bootstrap(self) -> float:
        """Return the seconds until the next one."""
        self._due.clear()
        try:
            response = await self.control.bootstrap(self._request())
            await self._take_bus(response)
            await self._domains.configure(response, self.bindings())
            self._configured = True
            self._tell_troubles()
            if response.certificate is not None:
                self.identity = self.identity.renewed(response.certificate)
                log.info("certificate renewed")
        except CloudforestError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("bootstrap failed", reason=str(error))
            return pause_after(self._failures)
        if self._failures:
            log.info("bootstrap succeeded again", failures=self._failures)
            self._failures = 0
        return seconds_until_next(self.clock(), self._lease, self.bootstrap_every)

    def _request(self) -> BootstrapRequest:
        now = self.clock()
        self._told = self._domains.troubles if self._configured else None
        return BootstrapRequest(
            assertion=self.identity.assertion(now),
            nkey=self.identity.bus_key.public,
            version=cloudforest.__version__,
            troubles=self._told,
            csr=self.identity.renewal(now),
        )

    async def _take_bus(self, response: BootstrapResponse) -> None:
        now = self.clock()
        due = self._lease is None or now >= self._lease.renew_at()
        if not self.bus.connected:
            await self.bus.connect(response.bus)
            self._connections += 1
            log.info("bus connected", agent=response.agent.name)
        elif due or response.agent.domains != self._granted:
            # What a credential allows is fixed in it.
            await self.bus.renew(response.bus)
            log.info("bus credential renewed", expires=str(response.bus.expires))
        else:
            return
        self._lease = Lease(taken=now, expires=response.bus.expires)
        self._granted = response.agent.domains

    async def _watch_bus(self) -> None:
        # Counted, as one may come and go between two looks.
        lost = 0
        while True:
            if self.bus.connected:
                lost = 0
            elif lost != self._connections:
                lost = self._connections
                log.warning("bus lost")
                self._due.set()
            await asyncio.sleep(BUS_LOOK_SECONDS)

    async def _keep_checked(self) -> None:
        while True:
            await asyncio.sleep(self.check_every)
            await self._domains.check()
            self._tell_troubles()

    def _tell_troubles(self) -> None:
        """Bootstrap at once when an operator would see something else in `status`."""
        if self._domains.troubles != self._told:
            self._due.set()
