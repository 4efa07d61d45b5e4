from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.agent import LIFE, NOW, Host, make_service, running, until

from cloudforest.agent import service
from cloudforest.agent.service import (
    BOOTSTRAP_BACKOFF,
    Lease,
    seconds_until_bootstrap,
)
from cloudforest.base.clock import Backoff
from cloudforest.model.identity import BusAccess

QUICK = Backoff(timedelta(seconds=0.01), timedelta(seconds=0.01))


def test_bus_credential_is_due_at_two_thirds_of_its_life():
    lease = Lease(NOW, NOW + LIFE)
    assert lease.renew_at() == NOW + timedelta(minutes=20)
    assert seconds_until_bootstrap(NOW, lease, 600) == 600
    assert seconds_until_bootstrap(NOW + timedelta(minutes=15), lease, 600) == 300
    assert seconds_until_bootstrap(NOW + timedelta(minutes=25), lease, 600) == 0


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 1), (2, 2), (4, 8), (7, 64), (8, 120), (5000, 120)]
)
def test_bootstrap_waits_between_half_and_all_of_a_growing_delay(failures, longest):
    assert BOOTSTRAP_BACKOFF.delay(failures, 0) == timedelta(seconds=longest)
    assert BOOTSTRAP_BACKOFF.delay(failures, 1) == timedelta(seconds=longest / 2)


async def test_agents_that_lost_the_control_plane_together_return_apart():
    host = Host(control_away=True)
    agent = make_service(host, host.bus.add_listener("a1"))
    delays = set()
    for _ in range(9):
        agent._failure_count = 8
        delays.add(await agent._bootstrap())
    assert len(delays) > 1
    assert all(60 <= each <= 120 for each in delays)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(service, "BUS_CHECK_SECONDS", 0.01)


async def test_agent_listens_for_its_domains_after_bootstrap():
    host = Host()
    async with running(host) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        assert host.opened == ["lab.test /t/data/lab.ldif"]


async def test_agent_keeps_its_bus_while_the_control_plane_is_away(monkeypatch):
    monkeypatch.setattr(service, "BOOTSTRAP_BACKOFF", QUICK)
    host = Host()
    async with running(host, bootstrap_interval=0.02) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        host.control_away = True
        tried = host.bootstraps + 3
        await until(lambda: host.bootstraps >= tried)
        assert bus.is_listening_to("lab.test")


async def test_agent_recovers_when_the_control_plane_starts_late(monkeypatch):
    monkeypatch.setattr(service, "BOOTSTRAP_BACKOFF", QUICK)
    host = Host(control_away=True)
    async with running(host) as bus:
        await until(lambda: host.bootstraps >= 3)
        host.control_away = False
        await until(lambda: bus.is_listening_to("lab.test"))


async def test_lost_bus_starts_a_bootstrap_at_once():
    host = Host()
    async with running(host) as bus:
        # The second bootstrap reports that all domains answer.
        await until(lambda: host.bootstraps == 2)
        bus._connected = False
        await until(lambda: bus.is_connected)
        assert host.bootstraps == 3


async def test_bus_lost_between_two_checks_counts_as_lost(
    monkeypatch,
):
    monkeypatch.setattr(service, "BUS_CHECK_SECONDS", 1.0)
    host = Host()
    async with running(host) as bus:
        await until(lambda: host.bootstraps == 2)
        bus._connected = False
        await until(lambda: bus.is_connected)


async def test_bus_credential_is_renewed_before_it_ends(monkeypatch):
    host = Host()
    async with running(host, bootstrap_interval=0.02) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        renewed = asyncio.Event()
        connect = bus.connect

        async def renew(access: BusAccess) -> None:
            renewed.set()
            await connect(access)

        monkeypatch.setattr(bus, "renew_access", renew)
        host.clock.now += timedelta(minutes=19)
        seen = host.bootstraps
        await until(lambda: host.bootstraps > seen + 1)
        assert not renewed.is_set()
        host.clock.now += timedelta(minutes=1)
        await until(renewed.is_set)
