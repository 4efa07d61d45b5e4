"""The bus adds the troubles of agents to an error without changing its class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.bus import request_for

from cloudforest.adapters.bus.memory import MemoryBus
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore
from cloudforest.adapters.store.tables import metadata
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Interrupted, Unavailable
from cloudforest.control_plane.preview import TroubleReportingBus
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest


async def nothing(_request: SyncRequest) -> AsyncIterator[Page]:
    for page in ():
        yield page


@pytest.fixture
async def opened() -> AsyncIterator[tuple[MemoryBus, TroubleReportingBus]]:
    database = Database("sqlite://")
    await database.run(metadata.create_all)
    bus = MemoryBus()
    yield bus, TroubleReportingBus(bus, SqlIdentityStore(database))
    database.close()


async def raised(bus: TroubleReportingBus) -> Any:
    with pytest.raises(Unavailable) as caught:
        assert [each async for each in bus.request_pages(request_for())] == []
    return caught.type


async def test_interrupted_and_unavailable_agents_are_distinguished(
    opened: tuple[MemoryBus, TroubleReportingBus],
) -> None:
    bus, explained = opened
    assert await raised(explained) is Unavailable
    agent = bus.add_listener("a1")
    await agent.connect(BusAccess(urls=(), ca="", jwt="", expires=system_clock()))
    await agent.listen(request_for().domain, nothing)
    assert await raised(explained) is Interrupted
