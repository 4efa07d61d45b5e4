"""Change notification over LDAP, and change hints to the service."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from tests.servers.contoso import staff
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap
from tests.support.memory_bus import MemoryBus

from cloudforest.agent.domains import send_change_hints
from cloudforest.base.errors import Unavailable
from cloudforest.base.secrets import Secret
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import domain_id

NO_NETWORK = BusAccess(urls=(), ca="", jwt="", expires=datetime.max.replace(tzinfo=UTC))
SETTLED = 1.0
"""Seconds after which the notification search has certainly been sent."""


async def test_change_is_reported_at_once(contoso: Contoso):
    async with aclosing(over_ldap(contoso).watch_changes()) as watch:
        for title in ("One", "Two"):
            change = asyncio.ensure_future(anext(watch))
            await asyncio.sleep(SETTLED)
            assert not change.done()
            contoso.samba.modify(staff(6), title=[title])
            async with asyncio.timeout(30):
                await change


async def test_account_without_special_rights_gets_changes(contoso: Contoso):
    plain = over_ldap(
        contoso,
        username=contoso.unprivileged.username,
        password=Secret(contoso.unprivileged.password),
    )
    async with aclosing(plain.watch_changes()) as watch:
        told = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(SETTLED)
        contoso.samba.modify(staff(6), title=["Three"])
        async with asyncio.timeout(30):
            await told


async def test_watch_can_be_cancelled(contoso: Contoso):
    async with aclosing(over_ldap(contoso).watch_changes()) as watch:
        told = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(SETTLED)
        told.cancel()
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await told


async def test_watch_of_an_unreachable_controller_is_unavailable(contoso: Contoso):
    watch = over_ldap(contoso, urls=["ldaps://127.0.0.101"]).watch_changes()

    with pytest.raises(Unavailable, match="cannot be reached"):
        await anext(watch)


async def test_change_reaches_the_service_as_a_hint(contoso: Contoso):
    bus = MemoryBus()
    listener = bus.add_listener("sync01")
    await listener.connect(NO_NETWORK)
    hinting = asyncio.create_task(
        send_change_hints(listener, "contoso.com", over_ldap(contoso))
    )
    hint = asyncio.ensure_future(anext(bus.receive_hints()))
    await asyncio.sleep(SETTLED)
    assert not hint.done()

    contoso.samba.modify(staff(6), title=["Four"])

    async with asyncio.timeout(30):
        assert await hint == domain_id("contoso.com")
    hinting.cancel()
    await asyncio.gather(hinting, return_exceptions=True)
