"""The guarantees of every service bus, in memory and on a real nats-server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.support.bus import DOMAIN, page, pages, request_for

from cloudforest.base.errors import Interrupted, Rejected, Unavailable
from cloudforest.model.messages import Closing, Page, SyncRequest, domain_id


async def test_pages_arrive_in_order_and_end_with_a_closing(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 50))
    got = [each async for each in bus.ask.request_pages(request_for())]
    assert [each.sequence for each in got] == list(range(50))
    assert [each.closing for each in got[:-1]] == [None] * 49
    assert got[-1].closing == Closing(complete=True, watermark="w1")


async def test_agent_sends_at_most_a_window_of_unstored_pages(bus):
    agent = await bus.agent("a1", DOMAIN)
    sent: list[int] = []
    await agent.listen(DOMAIN, pages("a1", 40, sent=sent))
    async for each in bus.ask.request_pages(request_for()):
        await asyncio.sleep(0.02)
        # Four unacknowledged pages, and the next one ready to send.
        assert max(sent) <= each.sequence + 4
    assert len(sent) == 40


async def test_agent_that_dies_midway_interrupts_the_answer(bus):
    agent = await bus.agent("a1", DOMAIN)

    async def endless(request: SyncRequest) -> AsyncIterator[Page]:
        yield page("a1", request, 0, last=False)
        await asyncio.Event().wait()

    await agent.listen(DOMAIN, endless)
    answer = bus.ask.request_pages(request_for())
    assert (await anext(answer)).sequence == 0
    await bus.kill(agent)
    with pytest.raises(Interrupted, match=r"middle of its answer.*after 1 page\."):
        await anext(answer)


async def test_slow_directory_does_not_interrupt_the_answer(bus):
    agent = await bus.agent("a1", DOMAIN)

    async def slow(request: SyncRequest) -> AsyncIterator[Page]:
        # Longer than the service waits for a keep-alive.
        await asyncio.sleep(2.5)
        yield page("a1", request, 0, last=True)

    await agent.listen(DOMAIN, slow)
    assert len([each async for each in bus.ask.request_pages(request_for())]) == 1


async def test_domain_without_agent_is_unavailable(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 1))
    with pytest.raises(Unavailable, match=r"No agent of the domain fabrikam\.test"):
        await anext(bus.ask.request_pages(request_for("fabrikam.test")))


async def test_agent_that_unlistened_gets_no_requests(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 1))
    assert [each async for each in bus.ask.request_pages(request_for())]
    await agent.unlisten(DOMAIN)
    with pytest.raises(Unavailable, match="No agent"):
        await anext(bus.ask.request_pages(request_for()))


async def test_agents_share_the_requests_of_a_domain(bus):
    for name in ("a1", "a2"):
        agent = await bus.agent(name, DOMAIN)
        await agent.listen(DOMAIN, pages(name, 2))
    answered = [
        [got.agent async for got in bus.ask.request_pages(request_for())]
        for _ in range(24)
    ]
    assert all(len(set(each)) == 1 for each in answered)
    assert {each[0] for each in answered} == {"a1", "a2"}


async def test_large_page_arrives_unchanged(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.listen(DOMAIN, pages("a1", 6, records=10_000))
    got = [len(each.records) async for each in bus.ask.request_pages(request_for())]
    assert got == [10_000] * 6


async def test_directory_error_is_reported_in_the_closing(bus):
    agent = await bus.agent("a1", DOMAIN)

    async def failing(request: SyncRequest) -> AsyncIterator[Page]:
        yield page("a1", request, 0, last=False)
        raise Rejected("dc1 refused the password.")

    await agent.listen(DOMAIN, failing)
    got = [each async for each in bus.ask.request_pages(request_for())]
    assert got[-1].sequence == 1
    assert got[-1].closing == Closing(complete=False, error="dc1 refused the password.")


async def test_abandoned_answer_is_stopped_at_the_agent(bus):
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


async def test_concurrent_answers_do_not_mix(bus):
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


async def test_change_hint_contains_only_the_domain(bus):
    agent = await bus.agent("a1", DOMAIN, "fabrikam.test")
    async with aclosing(bus.ask.receive_hints()) as hints:
        heard = asyncio.ensure_future(anext(hints))
        await listening(agent, heard, DOMAIN)
        assert await heard == domain_id(DOMAIN)

        heard = asyncio.ensure_future(anext(hints))
        await listening(agent, heard, "FABRIKAM.test")
        # The hint for the first domain may have been sent more than once.
        while (domain := await heard) == domain_id(DOMAIN):
            heard = asyncio.ensure_future(anext(hints))
        assert domain == domain_id("fabrikam.test")


async def listening(agent, heard: asyncio.Future[str], domain: str) -> None:
    """Send hints until one is received: the service may not be subscribed yet."""
    async with asyncio.timeout(30):
        while not heard.done():
            await agent.send_hint(domain)
            await asyncio.sleep(0.05)


async def test_change_hint_without_receiver_is_ignored(bus):
    agent = await bus.agent("a1", DOMAIN)
    await agent.send_hint(DOMAIN)
    await bus.kill(agent)
    await agent.send_hint(DOMAIN)
