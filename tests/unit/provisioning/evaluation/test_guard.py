"""The guard stages all effects of an exceeded budget before any of them is written."""

from __future__ import annotations

from tests.support.world import JOB, World, guid

from cloudforest.model.registration import Budget
from cloudforest.provisioning.impact import compute_impact

FEW = Budget(max=2, percent=100, base=50, window=86400)


async def test_too_many_disables_are_all_staged_and_other_writes_continue(world: World):
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
    assert (await world.store.count_effects())[JOB] == {"staged": 3}


async def test_disables_up_to_the_limit_are_written(world: World):
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


async def test_only_the_first_cycle_creates_without_a_limit(world: World):
    world.guard = {"creates": FEW}
    for number in range(5):
        world.person(number)
    assert (await world.cycle()).state == "succeeded"
    for number in range(10, 13):
        world.person(number)
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.staged) == ("blocked", 0, 3)


async def test_zero_creates_budget_applies_to_the_first_cycle(world: World):
    world.guard = {"creates": Budget(max=0, percent=100, base=50, window=86400)}
    world.person(1)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.staged) == ("blocked", 0, 1)
    assert world.of("User") == {}


async def test_emptied_groups_and_removed_members_are_counted_separately(world: World):
    none = Budget(max=0, percent=100, base=50, window=86400)
    people = [world.person(number) for number in range(4)]
    emptied, smaller = world.group(20, *people), world.group(21, *people)
    await world.cycle()
    world.guard = {"groupsEmptied": none}
    world.members = {emptied: set(), smaller: {people[0]}}
    await world.read_all()

    found = await compute_impact(world.run(), plan_digest="d1", with_names=True)

    assert [(t.guard, t.effects, t.limit) for t in found.exceeded] == [
        ("groupsEmptied", 1, 0)
    ]
    assert (found.counts.member_remove, found.counts.staged) == (3, 4)
    assert found.breakdown.groups_emptied == 1
    named = [each for each in found.breakdown.samples if each.action == "empty"]
    assert [each.reason for each in named] == ["left without a member"]
