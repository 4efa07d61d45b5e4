"""The domains that an agent opens, listens for and watches."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.support.agent import Host, running, until

from cloudforest.agent import domains
from cloudforest.model.messages import SyncRequest, domain_id
from cloudforest.model.program import ScopeProgram


def import_request() -> SyncRequest:
    return SyncRequest(
        id="r1",
        job="staff",
        domain="lab.test",
        kind="import",
        scope=ScopeProgram(organizational_units=None, types=("user",)),
        attributes={},
    )


async def test_agent_stops_listening_while_its_directory_is_silent():
    host = Host()
    async with running(host) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        host.directory_away = True
        await until(lambda: not bus.is_listening_to("lab.test"))
        host.directory_away = False
        await until(lambda: bus.is_listening_to("lab.test"))


async def test_agent_stops_listening_before_a_failed_answer_ends():
    host = Host()
    async with running(host, check_interval=3600) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        host.failure = "dc1 broke off."
        pages = [each async for each in host.bus.request_pages(import_request())]
        assert pages[-1].closing.error == "dc1 broke off."
        # Its directory answers, so no other agent would do better.
        assert bus.is_listening_to("lab.test")

        host.directory_away = True
        async for page in host.bus.request_pages(import_request()):
            assert page.closing.error == "dc1 broke off."
            assert not bus.is_listening_to("lab.test")


async def test_domain_that_the_host_does_not_allow_is_not_opened():
    host = Host(served=("lab.test", "other.test"))
    async with running(host) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        assert host.opened == ["lab.test /t/data/lab.ldif"]
        assert not bus.is_listening_to("other.test")


async def test_removed_domain_is_closed_without_a_restart():
    host = Host()
    async with running(host, bootstrap_interval=0.02) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        host.served = ()
        await until(lambda: not bus.is_listening_to("lab.test"))


async def test_change_that_the_host_does_not_allow_closes_the_domain():
    host = Host()
    async with running(host, bootstrap_interval=0.02) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))
        host.ldif = "/etc/shadow"
        await until(lambda: not bus.is_listening_to("lab.test"))
        assert len(host.opened) == 1


async def test_refused_password_is_not_tried_again_for_an_hour():
    host = Host(password_wrong=True)
    async with running(host, bootstrap_interval=0.02) as bus:
        bootstraps = host.bootstraps + 5
        await until(lambda: host.bootstraps > bootstraps)
        assert host.binds == 1
        # A job of another domain does not try it either.
        assert dict(host.directories) == {}
        host.password_wrong = False
        host.clock.now += timedelta(minutes=59)
        await asyncio.sleep(0.1)
        assert host.binds == 1
        host.clock.now += timedelta(minutes=1)
        await until(lambda: bus.is_listening_to("lab.test"))
        # The credential was read again.
        assert len(host.opened) == 2
        assert dict(host.directories) == {"lab.test": host}


async def test_refused_password_is_tried_again_after_a_configuration_change():
    host = Host(password_wrong=True, controllers=("ldaps://dc1",))
    async with running(host, bootstrap_interval=0.02) as bus:
        await until(lambda: host.binds == 1)
        host.password_wrong = False
        host.controllers = ("ldaps://dc2",)
        await until(lambda: bus.is_listening_to("lab.test"))


async def test_each_controller_of_a_domain_gets_its_own_timeout(monkeypatch):
    monkeypatch.setattr(domains, "IDENTIFY_SECONDS", 0.1)
    host = Host(identify_takes=0.2, controllers=("ldaps://a", "ldaps://b", "ldaps://c"))
    async with running(host) as bus:
        await until(lambda: bus.is_listening_to("lab.test"))


async def test_domain_is_watched_while_the_agent_listens_for_it():
    host = Host()
    async with running(host) as bus:
        await until(lambda: bus.is_listening_to("lab.test") and host.watching == 1)
        heard = host.bus.receive_hints()
        hint = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        host.changed.put_nowait(None)
        assert await hint == domain_id("lab.test")
        await heard.aclose()
        host.directory_away = True
        await until(lambda: host.watching == 0)
        heard = host.bus.receive_hints()
        hint = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        host.directory_away = False
        # Changes in between were not seen.
        assert await hint == domain_id("lab.test")
        await heard.aclose()
        await until(lambda: host.watching == 1)
    assert host.watching == 0
