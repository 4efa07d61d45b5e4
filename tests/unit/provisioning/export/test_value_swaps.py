"""Unique values that objects exchange within a cycle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.memory_target import MemoryTarget
from tests.support.shared_target import both, cycle_of
from tests.support.world import JOB, World, guid

from cloudforest.model.effects import PHASE_RETRY, Change, Effect
from cloudforest.model.registration import Budget
from cloudforest.model.stages import Allowance
from cloudforest.provisioning.export.value_swaps import (
    SwapGraph,
    break_swaps,
    make_temporary_value,
)


def _name(number: int) -> str:
    return f"p{number}@contoso.com"


def _named(world: World, names: dict[int, int]) -> None:
    """Give people the names of other people."""
    for number, of in names.items():
        world.person(number, userprincipalname=_name(of))
    world.delta = [world.objects[guid(number)] for number in names]


def _names(world: World) -> dict[str, str]:
    return {id_: each["userName"] for id_, each in world.of("User").items()}


@pytest.mark.parametrize("size", [2, 3, 5])
async def test_swap_of_names_is_resolved(world: World, size: int):
    for number in range(1, size + 1):
        world.person(number)
    await world.cycle()
    names = {number: number % size + 1 for number in range(1, size + 1)}
    _named(world, names)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.update) == ("succeeded", size)
    assert _names(world) == {guid(n): _name(of) for n, of in names.items()}
    world.delta = []
    assert (await world.cycle()).requests == 0


async def test_chain_needs_no_temporary_value(world: World):
    for number in range(1, 5):
        world.person(number)
    await world.cycle()
    _named(world, {1: 2, 2: 3, 3: 4, 4: 9})
    before = len(world.target.writes)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.update) == ("succeeded", 4)
    assert len(world.target.writes) - before == 4


async def test_halves_of_a_swap_from_two_cycles_are_joined(world: World):
    for number in (1, 2):
        world.person(number)
    await world.cycle()
    _named(world, {1: 2})
    assert (await world.cycle()).counts.escrow == 1
    world.clock.now += timedelta(seconds=30)
    _named(world, {2: 1})

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.escrow) == ("succeeded", 0)
    assert _names(world) == {guid(1): _name(2), guid(2): _name(1)}
    assert await world.escrowed() == []


class Cut(BaseException):
    """The end of a process."""


class Fragile(MemoryTarget):
    """A target whose caller is killed after a number of writes."""

    left = 10**9

    async def modify(self, *arguments):
        await super().modify(*arguments)
        self.left -= 1
        if self.left == 0:
            raise Cut


@pytest.mark.parametrize("writes", [1, 2, 3])
async def test_interrupted_swap_is_finished(world: World, writes: int):
    world.target = target = Fragile()
    for number in (1, 2):
        world.person(number)
    await world.cycle()
    _named(world, {1: 2, 2: 1})
    target.left = writes
    with pytest.raises((Cut, BaseExceptionGroup)):
        await world.cycle()
    target.left = 10**9
    world.delta = []

    assert (await world.cycle()).state == "succeeded"

    assert _names(world) == {guid(1): _name(2), guid(2): _name(1)}
    assert (await world.cycle()).requests == 0


async def test_conflict_with_a_staged_change_names_the_stage(world: World):
    for number in (1, 2):
        world.person(number)
    await world.cycle()
    world.guard = {"rekeys": Budget(max=0, percent=0, base=1, window=86400)}
    _named(world, {2: 9})
    assert (await world.cycle()).counts.staged == 1
    world.person(3, userprincipalname=_name(2))
    world.delta = [world.objects[guid(3)]]

    await world.cycle()

    (held,) = await world.escrowed()
    assert held.id == guid(3)
    assert str(held.reason).startswith("held-by-stage")
    (stage,) = await world.store.list_stages(JOB)
    until = world.clock.now + timedelta(hours=1)
    allowance = Allowance(stage=stage.id, job=JOB, operator="Ann", until=until)
    await world.store.save_allowance(allowance)
    world.delta = []
    await world.cycle()

    # It waited for the decision, not for the clock.
    assert (await world.cycle()).state == "succeeded"
    assert _names(world)[guid(3)] == _name(2)


def _in_conflict(key: str, before: str, after: str, *guards: str) -> Effect:
    return Effect(
        key=key,
        id=key,
        type="user",
        resource_type="User",
        action="update",
        phase=PHASE_RETRY,
        anchor=key,
        changes=(Change(path="userName", before=before, after=after),),
        guards=guards,
        state="escrowed",
        reason="conflict: taken",
    )


@pytest.mark.parametrize(
    ("guards", "freed"), [(("rekeys",), True), (("disables", "rekeys"), False)]
)
async def test_swap_releases_only_effects_that_need_no_other_budget(
    world: World, guards: tuple[str, ...], *, freed: bool
):
    stuck = _in_conflict("a", "one", "two", "rekeys")
    await world.store.save_effects(
        JOB, "c", [stuck, _in_conflict("b", "two", "one", *guards)]
    )

    assert bool(await break_swaps(world.run(), _batches([stuck]))) is freed


def _batches(*batches: list[Effect]) -> Callable[[], AsyncIterator[list[Effect]]]:
    async def read() -> AsyncIterator[list[Effect]]:
        for each in batches:
            yield each

    return read


async def test_swap_is_found_across_batches(world: World):
    swap = [
        _in_conflict(f"k{n}", f"v{n}", f"v{(n + 1) % 5}", "rekeys") for n in range(5)
    ]
    await world.store.save_effects(JOB, "c", swap)

    found = await break_swaps(world.run(), _batches(swap[:2], swap[2:4], []))

    assert found == {each.key for each in swap}


@pytest.mark.parametrize(("limit", "state"), [(1, "partial"), (2, "succeeded")])
async def test_swap_completed_from_escrow_is_charged_before_it_is_sent(
    world: World, limit: int, state: str
):
    for number in (1, 2):
        world.person(number)
    await world.cycle()
    _named(world, {1: 2})
    assert (await world.cycle()).counts.escrow == 1
    world.clock.now += timedelta(seconds=30)
    world.guard = {"rekeys": Budget(max=limit, percent=100, base=50, window=86400)}
    _named(world, {2: 1})

    cycle = await world.cycle()

    assert cycle.state == state
    swapped = {guid(1): _name(2), guid(2): _name(1)}
    assert (_names(world) == swapped) is (limit == 2)
    since = world.clock.now - timedelta(days=1)
    assert await world.store.sum_budget_charges(JOB, "rekeys", since) <= limit


async def test_conflict_with_a_staged_change_of_another_job_names_the_stage(
    world: World,
):
    lab, tree = both(world)
    world.person(1)
    await cycle_of(world, "people", world, tree)
    await cycle_of(world, "lab", lab, tree)
    world.guard = {"rekeys": Budget(max=0, percent=0, base=1, window=86400)}
    _, tree = both(world)
    _named(world, {1: 9})
    assert (await cycle_of(world, "people", world, tree)).counts.staged == 1
    lab.person(3, userprincipalname=_name(1))
    lab.delta = [lab.objects[guid(3)]]

    await cycle_of(world, "lab", lab, tree)

    ((held, _),) = await world.store.list_escrowed_effects("lab", after="", limit=9)
    assert str(held.reason).startswith("held-by-stage")
    (stage,) = await world.store.list_stages(JOB)
    await world.store.discard_stage(stage, world.clock.now)
    due = await world.store.list_due_effects("lab", world.clock.now, after="", limit=9)
    assert [each.key for each in due] == [guid(3)]


@given(st.permutations(list(range(6))))
def test_every_swap_is_found_once(order: list[int]):
    effects = [
        Effect(
            key=f"k{number}",
            id=f"k{number}",
            type="user",
            resource_type="User",
            action="update",
            phase=PHASE_RETRY,
            anchor="",
            changes=(Change(path="userName", before=_name(number), after=_name(to)),),
        )
        for number, to in enumerate(order)
    ]
    graph = SwapGraph()
    graph.add_holders(effects)
    graph.add_blocked(effects)
    members = [key for _, keys in graph.find_swaps() for key in keys]
    assert len(members) == len(set(members))
    moving = {f"k{number}" for number, to in enumerate(order) if number != to}
    assert set(members) == moving


def test_temporary_value_keeps_the_domain():
    assert make_temporary_value("a@b@contoso.com", "id") == "parked-id@contoso.com"
    assert make_temporary_value("Team", "id") == "parked-id"
