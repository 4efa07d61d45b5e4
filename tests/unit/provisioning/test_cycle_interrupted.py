"""An agent stops in the middle of its answer: the cycle asks another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace
from tests.support.memory_bus import MemoryBus
from tests.support.world import World, guid

from cloudforest.base.clock import system_clock
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import (
    Closing,
    Lookup,
    Page,
    SyncRequest,
    Tombstone,
    Unknown,
)
from cloudforest.provisioning.explanation.explain import find_object

AWAY = "dc1 stopped answering."

Says = Callable[[Page], Page | None]


def nothing(_page: Page) -> None:
    """It dies."""


def failure(page: Page) -> Page:
    """Its controller fails."""
    return replace(page, closing=Closing(complete=False, error=AWAY))


async def broken(
    world: World, kind: str, breaks: int, says: Says = nothing
) -> list[str]:
    """Let the first answers of a kind fail; return the ids of all such requests.

    `says` makes the last page of these answers.
    """
    speak = world.request_pages
    asked: list[str] = []

    async def answer(request: SyncRequest) -> AsyncIterator[Page]:
        asked.extend([request.id] if request.kind == kind else [])
        breaking = request.kind == kind and len(asked) <= breaks
        async for page in speak(request):
            said = says(page) if breaking and page.closing is not None else page
            if said is not None:
                yield said

    bus = MemoryBus()
    for name in ("a1", "a2"):
        agent = bus.add_listener(name)
        await agent.connect(BusAccess(urls=(), ca="", jwt="", expires=system_clock()))
        await agent.listen("contoso.com", answer)
    world.request_pages = bus.request_pages  # type: ignore[method-assign]
    return asked


@pytest.mark.parametrize("says", [nothing, failure])
async def test_interrupted_import_is_requested_again(world: World, says: Says) -> None:
    people = [world.person(number) for number in range(7)]
    world.group(20, *people)
    asked = await broken(world, "import", 1, says)

    cycle = await world.cycle()

    assert (cycle.state, cycle.error) == ("succeeded", None)
    assert (cycle.counts.read, cycle.counts.create) == (8, 8)
    assert world.members_of(guid(20)) == set(people)
    assert len(set(asked)) == 2


@pytest.mark.parametrize("says", [nothing, failure])
async def test_interrupted_read_is_requested_again(world: World, says: Says) -> None:
    people = [world.person(number) for number in range(7)]
    await world.cycle()
    world.delta = [Unknown(id=each) for each in people]
    world.answers = {each: Tombstone(id=each) for each in people[:1]}
    asked = await broken(world, "read", 1, says)

    cycle = await world.cycle()

    assert (cycle.state, cycle.error) == ("succeeded", None)
    assert (cycle.counts.read, cycle.counts.disable) == (7, 1)
    assert len(set(asked)) == 2


async def test_interrupted_read_on_demand_is_requested_again(world: World) -> None:
    person = world.person(1)
    asked = await broken(world, "read", 1)

    found = await find_object(world.run(), Lookup(by="guid", value=person))

    assert found is not None
    assert found.record.id == person
    assert len(set(asked)) == 2


@pytest.mark.parametrize("kind", ["import", "read"])
async def test_second_interrupted_answer_ends_the_cycle(
    world: World, kind: str
) -> None:
    person = world.person(1)
    await world.cycle()
    world.delta = [Unknown(id=person)]
    asked = await broken(world, kind, 2)

    cycle = await world.cycle()

    assert (cycle.state, cycle.fault, cycle.requests) == ("failed", "unreachable", 0)
    assert len(asked) == 2
    assert (await world.cycle()).state == "succeeded"


async def test_error_of_the_only_agent_is_reported(world: World) -> None:
    world.person(1)
    bus = MemoryBus()
    agent = bus.add_listener("a1")
    await agent.connect(BusAccess(urls=(), ca="", jwt="", expires=system_clock()))
    speak = world.request_pages

    async def answer(request: SyncRequest) -> AsyncIterator[Page]:
        async for page in speak(request):
            if page.closing is not None:
                await agent.unlisten("contoso.com")
            yield failure(page) if page.closing else page

    await agent.listen("contoso.com", answer)
    world.request_pages = bus.request_pages  # type: ignore[method-assign]

    cycle = await world.cycle()

    assert (cycle.state, cycle.fault, cycle.error) == ("failed", "unreachable", AWAY)
