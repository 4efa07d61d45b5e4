"""Change hints: at once, combined, and after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cloudforest.agent import domains
from cloudforest.agent.domains import send_change_hints
from cloudforest.base.errors import CredentialRejected, Unavailable

DOMAIN = "contoso.com"


class Bus:
    def __init__(self) -> None:
        self.hinted: list[str] = []

    async def send_hint(self, domain: str) -> None:
        self.hinted.append(domain)


class Directory:
    """Reports the changes put into `events`, until it fails or ends."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.watched = 0

    async def watch_changes(self) -> AsyncIterator[None]:
        self.watched += 1
        while (event := await self.events.get()) == "changed":
            yield
        if event == "breaks":
            raise Unavailable("dc1 stopped answering.")
        if event == "refuses":
            raise CredentialRejected("dc1 refused the account svc.")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "CHANGE_HINT_INTERVAL", 0.5)
    monkeypatch.setattr(domains, "WATCH_PAUSE", 0.01)


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_first_change_is_hinted_at_once_and_later_ones_together():
    bus, directory = Bus(), Directory()
    hinting = asyncio.create_task(send_change_hints(bus, DOMAIN, directory))
    directory.events.put_nowait("changed")
    await until(lambda: bus.hinted == [DOMAIN])
    for _ in range(5_000):
        directory.events.put_nowait("changed")
    await until(directory.events.empty)
    assert bus.hinted == [DOMAIN]
    await until(lambda: bus.hinted == [DOMAIN, DOMAIN])
    await asyncio.sleep(2 * domains.CHANGE_HINT_INTERVAL)
    assert bus.hinted == [DOMAIN, DOMAIN]
    hinting.cancel()


async def test_no_hint_without_a_change():
    bus, directory = Bus(), Directory()
    hinting = asyncio.create_task(send_change_hints(bus, DOMAIN, directory))
    await until(lambda: directory.watched == 1)
    await asyncio.sleep(0.1)
    assert bus.hinted == []
    hinting.cancel()


async def test_interrupted_watch_sends_a_hint_when_it_resumes():
    bus, directory = Bus(), Directory()
    hinting = asyncio.create_task(send_change_hints(bus, DOMAIN, directory))
    directory.events.put_nowait("breaks")
    await until(lambda: directory.watched == 2)
    await until(lambda: bus.hinted == [DOMAIN])
    hinting.cancel()


async def test_directory_that_cannot_be_watched_is_left_alone():
    bus, directory = Bus(), Directory()
    directory.events.put_nowait("ends")
    async with asyncio.timeout(30):
        await send_change_hints(bus, DOMAIN, directory)
    assert directory.watched == 1


async def test_refused_password_pauses_the_watch():
    bus, directory = Bus(), Directory()
    hinting = asyncio.create_task(send_change_hints(bus, DOMAIN, directory))
    directory.events.put_nowait("refuses")
    await until(directory.events.empty)
    await asyncio.sleep(20 * domains.WATCH_PAUSE)
    assert directory.watched == 1
    hinting.cancel()
