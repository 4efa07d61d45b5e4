"""The bus of previews, and the bus that adds the troubles of agents to errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.bus import DOMAIN, page, pages, request_for

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore
from cloudforest.adapters.store.tables import metadata
from cloudforest.base.errors import Interrupted, Unavailable
from cloudforest.control_plane.preview import (
    WINDOW_PAGES,
    PreviewBus,
    TroubleReportingBus,
)
from cloudforest.model.messages import Page, SyncRequest


async def nothing(_request: SyncRequest) -> AsyncIterator[Page]:
    for each in ():
        yield each


@pytest.fixture
async def opened() -> AsyncIterator[tuple[PreviewBus, TroubleReportingBus]]:
    database = Database("sqlite://")
    await database.run(metadata.create_all)
    bus = PreviewBus()
    yield bus, TroubleReportingBus(bus, SqlIdentityStore(database))
    database.close()


async def raised(bus: TroubleReportingBus) -> Any:
    with pytest.raises(Unavailable) as caught:
        assert [each async for each in bus.request_pages(request_for())] == []
    return caught.type


async def test_interrupted_and_unavailable_agents_are_distinguished(
    opened: tuple[PreviewBus, TroubleReportingBus],
) -> None:
    bus, explained = opened
    assert await raised(explained) is Unavailable
    bus.handlers[DOMAIN] = nothing
    assert await raised(explained) is Interrupted


async def test_preview_reads_pages_in_order_and_a_window_ahead():
    sent: list[int] = []
    bus = PreviewBus({DOMAIN: pages("a1", 9, sent=sent)})
    numbers = []
    async for each in bus.request_pages(request_for(DOMAIN.upper())):
        await asyncio.sleep(0.01)
        assert len(sent) <= each.sequence + WINDOW_PAGES + 1
        numbers.append(each.sequence)
    assert numbers == list(range(9))


async def test_error_of_a_previewed_directory_is_reported_in_the_closing():
    async def fail(request: SyncRequest) -> AsyncIterator[Page]:
        yield page("a1", request, 0, last=False)
        raise Unavailable("dc1 does not answer.")

    bus = PreviewBus({DOMAIN: fail})
    *_, last = [each async for each in bus.request_pages(request_for())]
    assert last.sequence == 1
    assert last.closing is not None
    assert (last.closing.complete, last.closing.error) == (
        False,
        "dc1 does not answer.",
    )
