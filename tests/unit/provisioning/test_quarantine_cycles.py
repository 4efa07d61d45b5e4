"""Cycles that fail as a whole: what is stored, and which objects are affected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.world import JOB, World, guid

from cloudforest.base.errors import LockedOut, TargetUnavailable, Unavailable
from cloudforest.model.jobs import Breaker, JobState, Pause
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports.target import Refusal

TARGET = "cloud"


def failing(world: World, monkeypatch: pytest.MonkeyPatch, *answers: Exception) -> None:
    """Let the next creations fail with these errors, further ones with the last."""
    left = list(answers)

    async def create(_resource_type: str, _values: Any) -> str:
        world.target.requests += 1
        raise left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(world.target, "create", create)


async def state(world: World) -> JobState:
    return (await world.store.load_job_states())[JOB]


async def breaker(world: World) -> Breaker | None:
    return (await world.store.load_breakers()).get(TARGET)


@pytest.mark.parametrize("error", [TargetUnavailable, LockedOut])
async def test_unavailable_target_opens_the_breaker_without_escrow(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    for number in range(30):
        world.person(number)
    with monkeypatch.context() as patch:
        failing(world, patch, *[Refusal(503, "It did.")] * 3, error("It is down."))
        cycle = await world.cycle()

    assert cycle.state == "failed"
    assert cycle.counts.escrow == 0
    assert await world.store.list_escrowed_effects(JOB, after="", limit=10) == []
    held = await breaker(world)
    assert held is not None
    assert held.reason == "It is down."
    assert (await state(world)).quarantine is None

    world.clock.now = held.next
    good = await world.cycle()
    assert good.state == "succeeded"
    assert len(world.of("User")) == 30
    assert await breaker(world) is None


async def test_creation_without_an_answer_is_ours_after_the_target_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.person(1)
    world.person(2)
    world.profile = replace(world.profile, concurrency=1)
    real = world.target.create

    async def create(resource_type: str, values: Any) -> str:
        if values["externalId"] != person:
            raise TargetUnavailable("It is down.")
        await real(resource_type, values)
        raise Refusal(504, "A gateway lost the answer.")

    with monkeypatch.context() as patch:
        patch.setattr(world.target, "create", create)
        assert (await world.cycle()).fault == "target"

    held = await breaker(world)
    assert held is not None
    world.clock.now = held.next
    assert (await world.cycle()).counts.create == 2
    links = await world.store.load_links(TARGET, [person])
    assert links[person].origin == "created"


async def test_one_refusal_is_escrowed_even_if_the_target_then_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        world.person(number)
    failing(
        world,
        monkeypatch,
        Refusal(500, "Hm."),
        Refusal(400, "No."),
        TargetUnavailable("It is down."),
    )
    world.profile = replace(world.profile, concurrency=1)
    cycle = await world.cycle()

    assert cycle.fault == "target"
    assert cycle.counts.escrow == 2


async def test_missing_agents_do_not_open_the_breaker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(_request: Any) -> Any:
        raise Unavailable("Nobody is there.")
        yield

    monkeypatch.setattr(world, "request_pages", ask)
    for _ in range(15):
        cycle = await world.cycle()

    assert (cycle.state, cycle.fault) == ("failed", "unreachable")
    assert await breaker(world) is None
    assert (await state(world)).quarantine is None


async def test_job_with_mostly_failing_objects_enters_and_leaves_quarantine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        world.person(number)
    with monkeypatch.context() as patch:
        failing(world, patch, Refusal(400, "No."))
        cycle = await world.cycle()
        assert cycle.state == "partial"
        assert (cycle.attempts.first, cycle.attempts.first_failed) == (12, 12)
        held = (await state(world)).quarantine
        assert held is not None

        world.clock.now = held.next
        await world.cycle()
        longer = (await state(world)).quarantine
        assert longer is not None
        assert longer.since == held.since
        assert longer.next - held.next == timedelta(minutes=20)

    world.clock.now = longer.next
    await world.cycle()
    assert (await state(world)).quarantine is None
    assert len(world.of("User")) == 12


async def test_failing_references_do_not_cause_a_quarantine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(15):
        world.person(number)
    await world.cycle()
    for number in range(1, 15):
        world.person(number, manager=guid(0))
    world.delta = list(world.objects.values())

    async def modify(*_arguments: Any) -> None:
        raise Refusal(400, "No managers.")

    monkeypatch.setattr(world.target, "modify", modify)
    cycle = await world.cycle()

    assert cycle.counts.escrow == 14
    assert (await state(world)).quarantine is None


async def test_conflicts_of_most_objects_cause_a_quarantine(world: World) -> None:
    for number in range(12):
        world.person(number, userprincipalname="everybody@contoso.com")
    cycle = await world.cycle()

    assert cycle.counts.escrow == 11
    assert (await state(world)).quarantine is not None


async def test_pause_during_a_cycle_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.person(1)
    answer = world.request_pages
    pause = Pause(since=world.clock(), by="anna")

    async def ask(request: SyncRequest) -> AsyncIterator[Page]:
        await world.store.change_job_state(
            JOB, lambda held: replace(held, paused=pause)
        )
        async for page in answer(request):
            yield page

    monkeypatch.setattr(world, "request_pages", ask)
    cycle = await world.cycle()

    assert cycle.state == "succeeded"
    assert (await state(world)).paused == pause
