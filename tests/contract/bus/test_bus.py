"""What every service bus promises, in memory and on a real nats-server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.support.bus import DOMAIN, page, pages, request_for

from cloudforest.base.errors import Interrupted, Rejected, Unavailable
from cloudforest.model.messages import Closing, Page, SyncRequest, domain_id


async def test_pages_arrive_in_order_and_the_last_one_closes(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 50))
    got = [each async for each in bus.ask.request_pages(request_for())]
    assert [each.sequence for each in got] == list(range(50))
    assert [each.closing for each in got[:-1]] == [None] * 49
    assert got[-1].closing == Closing(complete=True, watermark="w1")


async def test_an_agent_is_at_most_a_window_ahead_of_what_is_stored(bus):
    agent = await bus.agent("a1", DOMAIN)
    sent: list[int] = []
    await agent.listen(DOMAIN, pages("a1", 40, sent=sent))
    async for each in bus.ask.request_pages(request_for()):
        await asyncio.sleep(0.02)
        # Four unacknowledged, and the next one in hand.
        assert max(sent) <= each.sequence + 4
    assert len(sent) == 40


async def test_an_agent_that_dies_midway_is_an_interruption_not_complete(bus):
    agent = await bus.agent("a1", DOMAIN)

    async def endless(request: SyncRequest) -> AsyncIterator[Page]:
        yield page("a1", request, 0, last=False)
        await asyncio.Event().wait()

    await agent.listen(DOMAIN, endless)
    answer = bus.ask.request_pages(request_for())
    assert (await anext(answer)).sequence == 0
    await bus.kill(agent)
    with pytest.raises(Interrupted, match=r"middle of its answer.*1 pages"):
        await anext(answer)


async def test_a_slow_directory_is_not_taken_for_a_dead_one(bus):
    agent = await bus.agent("a1", DOMAIN)

    async def slow(request: SyncRequest) -> AsyncIterator[Page]:
        # Longer than the service waits for a sign of life.
        await asyncio.sleep(2.5)
        yield page("a1", request, 0, last=True)

    await agent.listen(DOMAIN, slow)
    assert len([each async for each in bus.ask.request_pages(request_for())]) == 1


async def test_a_domain_without_an_agent_is_named(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 1))
    with pytest.raises(Unavailable, match=r"No agent of the domain fabrikam\.test"):
        await anext(bus.ask.request_pages(request_for("fabrikam.test")))


async def test_an_agent_that_no_longer_listens_is_not_asked(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 1))
    assert [each async for each in bus.ask.request_pages(request_for())]
    await agent.unlisten(DOMAIN)
    with pytest.raises(Unavailable, match="No agent"):
        await anext(bus.ask.request_pages(request_for()))


async def test_two_agents_share_the_requests_of_a_domain(bus):
    for name in ("a1", "a2"):
        agent = await bus.agent(name, DOMAIN)
        await agent.listen(DOMAIN, pages(name, 2))
    answered = [
        [got.agent async for got in bus.ask.request_pages(request_for())]
        for _ in range(24)
    ]
    assert all(len(set(each)) == 1 for each in answered)
    assert {each[0] for each in answered} == {"a1", "a2"}


async def test_a_large_page_crosses_whole(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 6, records=10_000))
    got = [len(each.records) async for each in bus.ask.request_pages(request_for())]
    assert got == [10_000] * 6


async def test_a_directory_that_fails_midway_is_told_in_the_closing(bus):
    agent = await bus.agent("a1", DOMAIN)

    async def failing(request: SyncRequest) -> AsyncIterator[Page]:
        yield page("a1", request, 0, last=False)
        raise Rejected("dc1 refused the password.")

    await agent.listen(DOMAIN, failing)
    got = [each async for each in bus.ask.request_pages(request_for())]
    assert got[-1].sequence == 1
    assert got[-1].closing == Closing(complete=False, error="dc1 refused the password.")


async def test_an_abandoned_answer_is_stopped_at_the_agent(bus):
    agent = await bus.agent("a1", DOMAIN)
    stopped = asyncio.Event()

    async def long(request: SyncRequest) -> AsyncIterator[Page]:
        try:
            for number in range(10_000):
                yield page("a1", request, number, last=False)
        finally:
            stopped.set()

    await agent.listen(DOMAIN, long)
    async with aclosing(bus.ask.request_pages(request_for())) as answer:
        await anext(answer)
    async with asyncio.timeout(30):
        await stopped.wait()


async def test_many_answers_at_once_do_not_mix(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 20))

    async def read(request: SyncRequest) -> list[str]:
        got = []
        async for each in bus.ask.request_pages(request):
            await asyncio.sleep(random.random() / 200)
            got.append(each.request)
        return got

    asked = [request_for() for _ in range(8)]
    answers = await asyncio.gather(*(read(each) for each in asked))
    assert answers == [[each.id] * 20 for each in asked]


async def test_hints_name_the_domain_and_nothing_else(bus):
    agent = await bus.agent("a1", DOMAIN, "fabrikam.test")
    async with aclosing(bus.ask.receive_hints()) as hints:
        heard = asyncio.ensure_future(anext(hints))
        await listening(agent, heard, DOMAIN)
        assert await heard == domain_id(DOMAIN)

        heard = asyncio.ensure_future(anext(hints))
        await listening(agent, heard, "FABRIKAM.test")
        # Those of the first domain may have been said more than once.
        while (domain := await heard) == domain_id(DOMAIN):
            heard = asyncio.ensure_future(anext(hints))
        assert domain == domain_id("fabrikam.test")


async def listening(agent, heard: asyncio.Future[str], domain: str) -> None:
    """Hint until it is heard: the service may not be listening yet."""
    async with asyncio.timeout(30):
        while not heard.done():
            await agent.send_hint(domain)
            await asyncio.sleep(0.05)


async def test_a_hint_that_nobody_waits_for_is_lost_and_does_no_harm(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.send_hint(DOMAIN)
    await bus.kill(agent)
    await agent.send_hint(DOMAIN)
