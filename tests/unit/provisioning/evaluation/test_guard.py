"""The guard stages a whole class of effects before the first of them is written."""

from __future__ import annotations

import asyncio

from tests.support.world import JOB, MANAGER, World, guid

from cloudforest.adapters.target.memory import MemoryTarget, Resource
from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Budget
from cloudforest.provisioning.impact import impact

FEW = Budget(max=2, percent=100, base=50, window=86400)


async def test_too_many_disables_are_all_staged_and_the_rest_goes_on(world: World):
    world.guard = {"disables": FEW}
    for number in range(6):
        world.person(number)
    await world.cycle()
    for number in range(3):
        world.person(number, disabled="yes")
    world.person(5, title="Head")
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert cycle.state == "blocked"
    assert (cycle.counts.disable, cycle.counts.staged, cycle.counts.update) == (0, 3, 1)
    assert all(values["active"] for values in world.of("User").values())
    assert (await world.store.effect_counts())[JOB] == {"staged": 3}


async def test_as_many_disables_as_allowed_are_written(world: World):
    world.guard = {"disables": FEW}
    for number in range(6):
        world.person(number)
    await world.cycle()
    for number in range(2):
        world.person(number, disabled="yes")
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.disable, cycle.counts.staged) == (
        "succeeded",
        2,
        0,
    )
    assert world.of("User")[guid(0)]["active"] is False
    world.person(0)
    world.delta = [world.objects[guid(0)]]
    assert (await world.cycle()).counts.enable == 1


async def test_only_a_first_cycle_creates_without_a_limit(world: World):
    world.guard = {"creates": FEW}
    for number in range(5):
        world.person(number)
    assert (await world.cycle()).state == "succeeded"
    for number in range(10, 13):
        world.person(number)
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.staged) == ("blocked", 0, 3)


async def test_a_job_that_is_to_create_nobody_does_not_in_its_first_cycle(world: World):
    world.guard = {"creates": Budget(max=0, percent=100, base=50, window=86400)}
    world.person(1)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.staged) == ("blocked", 0, 1)
    assert world.of("User") == {}


async def test_emptying_groups_and_removing_members_are_counted_apart(world: World):
    none = Budget(max=0, percent=100, base=50, window=86400)
    people = [world.person(number) for number in range(4)]
    emptied, smaller = world.group(20, *people), world.group(21, *people)
    await world.cycle()
    world.guard = {"groupsEmptied": none}
    world.members = {emptied: set(), smaller: {people[0]}}
    await world.read_all()

    found = await impact(world.run(), digest="d1", named=True)

    assert [(t.guard, t.effects, t.limit) for t in found.trips] == [
        ("groupsEmptied", 1, 0)
    ]
    assert (found.counts.member_remove, found.counts.staged) == (3, 4)
    assert found.breakdown.groups_emptied == 1
    named = [each for each in found.breakdown.samples if each.action == "empty"]
    assert [each.reason for each in named] == ["left without a member"]


async def test_impact_says_what_the_cycle_then_does(world: World):
    boss = world.person(1)
    world.group(20, boss, world.person(2, manager=boss))
    await world.cycle()
    world.group(20, boss, world.person(3, manager=boss))
    world.person(2, title="Head", manager=boss)
    await world.read_all()
    before = list(world.target.writes)
    start = await world.store.watermark(JOB)

    found = await impact(world.run(), digest="d" * 64)

    assert world.target.writes == before
    assert set(await world.store.effect_counts()) <= {JOB}
    assert await world.store.watermark(JOB) == start
    cycle = await world.cycle()
    assert found.counts == cycle.counts
    assert found.requests == len(world.target.writes) - len(before)


async def test_impact_says_what_the_cycle_does_while_some_wait_in_escrow(world: World):
    class Refusing(MemoryTarget):
        async def create(self, resource_type, values):
            if values.get("title") == "Bad":
                raise Refusal(400, "The target does not accept this title.")
            return await super().create(resource_type, values)

    world.target = Refusing()
    bad = world.person(1, title="Bad")
    world.group(20, bad, world.person(2, manager=bad))
    await world.cycle()
    await world.read_all()

    found = await impact(world.run(), digest="d" * 32)

    assert (found.counts.member_add, found.counts.update, found.requests) == (0, 0, 0)
    assert (await world.cycle()).counts == found.counts


async def test_impact_counts_no_reference_that_an_adoption_finds_set(world: World):
    boss = world.person(1)
    person = world.person(2, manager=boss)
    same = {"active": True, "displayName": "Person 1", "userName": "p1@contoso.com"}
    world.target.held["b"] = Resource("User", {"externalId": boss, **same})
    same = {"active": True, "displayName": "Person 2", "userName": "p2@contoso.com"}
    found = Resource("User", {"externalId": person, **same, MANAGER: "b"})
    world.target.held["c"] = found

    expected = await impact(world.run(), digest="e" * 32)
    cycle = await world.cycle()

    assert expected.counts == cycle.counts
    assert (expected.requests, world.target.writes) == (0, [])


async def test_impact_counts_nothing_that_waits_for_a_stage(world: World):
    await world.cycle()
    world.guard = {"creates": Budget(max=0, percent=0, base=1, window=86400)}
    boss = world.person(1)
    world.group(20, boss, world.person(2, manager=boss))
    await world.read_all()

    expected = await impact(world.run(), digest="f" * 32)
    cycle = await world.cycle()

    assert (expected.counts.staged, expected.requests) == (3, 0)
    assert expected.counts == cycle.counts
    assert world.target.writes == []


async def test_two_plans_at_once_do_not_disturb_each_other(world: World):
    for number in range(1, 30):
        world.person(number)
    world.group(99, guid(1), guid(2))

    async def later(milliseconds: int):
        await asyncio.sleep(milliseconds / 1000)
        return await impact(world.run(), digest="d" * 32)

    found = await asyncio.gather(*(later(2 * number) for number in range(8)))

    assert {(each.counts.create, each.counts.member_add) for each in found} == {(30, 2)}
