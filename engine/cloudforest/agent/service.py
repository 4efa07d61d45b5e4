"""The main loop of an agent: bootstrap, the bus, and the directories.

An agent bootstraps at intervals, before its bus credential ends, and after failures.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

import cloudforest
from cloudforest.agent.bindings import HostBindings
from cloudforest.agent.domains import ServedDomains
from cloudforest.agent.identity import AgentIdentity, ControlPlane
from cloudforest.base.clock import Backoff, Clock
from cloudforest.base.errors import CloudforestError
from cloudforest.model.identity import BootstrapRequest, BootstrapResponse
from cloudforest.model.ports.bus import ListenerBus

BOOTSTRAP_BACKOFF = Backoff(
    first=timedelta(seconds=1), longest=timedelta(minutes=2), jitter=-0.5
)
"""With jitter, so that the agents of a site do not all come back at once."""
BUS_CHECK_SECONDS = 0.5

log = structlog.get_logger()


@dataclass(frozen=True)
class Lease:
    """A bus credential in use; nats-py closes for good at its end, so renew earlier."""

    received: datetime
    expires: datetime

    def renew_at(self) -> datetime:
        return self.received + (self.expires - self.received) * 2 / 3


def seconds_until_bootstrap(
    now: datetime, lease: Lease | None, interval: float
) -> float:
    """Return the seconds to wait after a successful bootstrap."""
    if lease is None:
        return interval
    remaining = max((lease.renew_at() - now).total_seconds(), 0.0)
    return min(interval, remaining)


@dataclass(kw_only=True)
class AgentService:
    """Runs until stopped, while control plane and bus come and go.

    `load_bindings` is called at each bootstrap. Intervals are in seconds.
    """

    identity: AgentIdentity
    control: ControlPlane
    bus: ListenerBus
    load_bindings: Callable[[], HostBindings]
    domains: ServedDomains
    clock: Clock
    bootstrap_interval: float = 600
    check_interval: float = 15
    _lease: Lease | None = None
    _granted_domains: tuple[str, ...] | None = None
    _is_configured: bool = False
    _reported_troubles: dict[str, str] | None = None
    _failure_count: int = 0
    _connection_count: int = 0
    _bootstrap_due: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._bootstrap_loop(), name="bootstrap"),
                    group.create_task(self._watch_bus(), name="bus"),
                    group.create_task(self._check_loop(), name="directories"),
                ]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            await self.domains.close()
            await self.bus.close()

    async def _bootstrap_loop(self) -> None:
        while True:
            pause = await self._bootstrap()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._bootstrap_due.wait()

    async def _bootstrap(self) -> float:
        """Bootstrap once; return the seconds until the next one."""
        self._bootstrap_due.clear()
        try:
            response = await self.control.bootstrap(self._build_request())
            await self._update_bus_access(response)
            await self.domains.configure(response, self.load_bindings())
            self._is_configured = True
            self._report_troubles()
            if response.certificate is not None:
                self.identity = self.identity.with_certificate(response.certificate)
                log.info("certificate renewed")
        except CloudforestError as error:
            self._failure_count += 1
            if self._failure_count == 1:
                log.warning("bootstrap failed", reason=str(error))
            chance = random.random()  # noqa: S311 - it only spreads load
            delay = BOOTSTRAP_BACKOFF.delay(self._failure_count, chance)
            return delay.total_seconds()
        if self._failure_count:
            log.info("bootstrap succeeded again", failures=self._failure_count)
            self._failure_count = 0
        return seconds_until_bootstrap(
            self.clock(), self._lease, self.bootstrap_interval
        )

    def _build_request(self) -> BootstrapRequest:
        now = self.clock()
        troubles = self.domains.troubles if self._is_configured else None
        self._reported_troubles = troubles
        return BootstrapRequest(
            assertion=self.identity.make_assertion(now),
            nkey=self.identity.bus_key.public_key,
            version=cloudforest.__version__,
            troubles=troubles,
            csr=self.identity.renewal_request(now),
        )

    async def _update_bus_access(self, response: BootstrapResponse) -> None:
        now = self.clock()
        due = self._lease is None or now >= self._lease.renew_at()
        if not self.bus.is_connected:
            await self.bus.connect(response.bus)
            self._connection_count += 1
            log.info("bus connected", agent=response.agent.name)
        elif due or response.agent.domains != self._granted_domains:
            # A credential lists the domains that it allows.
            await self.bus.renew_access(response.bus)
            log.info("bus credential renewed", expires=str(response.bus.expires))
        else:
            return
        self._lease = Lease(received=now, expires=response.bus.expires)
        self._granted_domains = response.agent.domains

    async def _watch_bus(self) -> None:
        # By number: a connection may come and go between two checks.
        lost = 0
        while True:
            if self.bus.is_connected:
                lost = 0
            elif lost != self._connection_count:
                lost = self._connection_count
                log.warning("bus lost")
                self._bootstrap_due.set()
            await asyncio.sleep(BUS_CHECK_SECONDS)

    async def _check_loop(self) -> None:
        while True:
            await asyncio.sleep(self.check_interval)
            await self.domains.check_directories()
            self._report_troubles()

    def _report_troubles(self) -> None:
        """Bootstrap at once if `status` would change."""
        if self.domains.troubles != self._reported_troubles:
            self._bootstrap_due.set()
