"""Stages: which effects a guard holds back, until when, and how they are decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.leavers import DELETING, come, leave
from tests.support.memory_target import MemoryTarget
from tests.support.world import JOB, World, guid

from cloudforest.model.effects import PHASE_DEPROVISION, Effect
from cloudforest.model.messages import OutOfScope
from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Budget
from cloudforest.model.stages import Allowance, Stage
from cloudforest.provisioning.impact import compute_impact

DAY = 86400
TWO = Budget(max=2, percent=100, base=50, window=DAY)
NONE = Budget(max=0, percent=100, base=50, window=DAY)


async def _people(world: World, number: int) -> list[str]:
    people = [world.person(each) for each in range(1, number + 1)]
    await world.cycle()
    return people


async def _allow(world: World, stage: str, *, hours: int = 2) -> None:
    until = world.clock.now + timedelta(hours=hours)
    allowance = Allowance(stage=stage, job=JOB, operator="Ann", until=until)
    await world.store.save_allowance(allowance)


async def _only_stage(world: World) -> Stage:
    (stage,) = await world.store.list_stages(JOB)
    return stage


def _active(world: World) -> int:
    return sum(each["active"] for each in world.of("User").values())


async def test_stage_is_one_decision_and_does_not_change(world: World):
    people = await _people(world, 8)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    stage = await _only_stage(world)
    assert (stage.guard, stage.effects, stage.waiting, stage.limit) == (
        "disables",
        3,
        3,
        2,
    )
    assert stage.what == {"disable": 3}
    logged = await world.log(job=JOB)
    staged = [each for each in logged if each.status == "staged"]
    assert {each.object for each in staged} == set(people[:3])
    assert {each.name for each in staged} == {f"p{n}@contoso.com" for n in (1, 2, 3)}

    world.delta = []
    again = await world.cycle()

    assert (again.state, again.counts.staged, again.requests) == ("blocked", 3, 0)
    assert await world.store.list_stages(JOB) == [stage]
    assert await world.log(job=JOB) == logged
    held = await world.store.list_staged_effects(stage.id, "", 10)
    assert [each.object_guid for each in held] == sorted(people[:3])
    assert held[0].dn is not None


async def test_allowed_effects_are_read_again_and_written(world: World):
    people = await _people(world, 6)
    world.guard = {"disables": TWO}
    leave(world, *people[:4])
    await world.cycle()
    stage = await _only_stage(world)
    await _allow(world, stage.id)
    world.person(1)
    world.answers.pop(people[0])
    world.delta, before = [], len(world.asked)

    cycle = await world.cycle()

    reads = [each for each in world.asked[before:] if each.kind == "read"]
    asked = {each.value for read in reads for each in read.lookups}
    assert asked == set(people[:4])
    assert (cycle.state, cycle.counts.disable, cycle.counts.staged) == (
        "succeeded",
        3,
        0,
    )
    assert _active(world) == 3
    last = (await world.log(object=people[0]))[-1]
    assert (last.status, str(last.reason)[:5]) == ("skipped", "moot:")
    assert await world.store.list_stages(JOB) == []
    assert await world.store.list_allowances(world.clock.now) == []


async def test_allowed_effects_do_not_charge_the_budget(world: World):
    people = await _people(world, 9)
    world.guard = {"disables": TWO}
    leave(world, *people[:4])
    await world.cycle()
    await _allow(world, (await _only_stage(world)).id)
    world.delta = []
    await world.cycle()
    leave(world, *people[4:6])

    assert (await world.cycle()).counts.disable == 2


async def test_allowance_expires(world: World):
    people = await _people(world, 6)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    stage = await _only_stage(world)
    await _allow(world, stage.id)
    world.clock.now += timedelta(hours=3)
    world.delta = []

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.disable) == ("blocked", 0)
    assert await world.store.list_stages(JOB) == [stage]


async def test_refused_release_stays_in_its_stage(world: World):
    class Slow(MemoryTarget):
        refused = True

        async def modify(self, *arguments):
            if self.refused:
                self.requests += 1
                raise Refusal(400, "Not now.")
            await super().modify(*arguments)

    world.target = target = Slow()
    people = await _people(world, 4)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    stage = await _only_stage(world)
    await _allow(world, stage.id)
    world.delta = []
    assert (await world.cycle()).counts.escrow == 3
    target.refused = False
    world.clock.now += timedelta(minutes=5)
    assert (await world.cycle()).counts.disable == 3
    assert await world.store.list_stages(JOB) == []


async def test_new_effects_above_the_limit_form_a_new_stage(world: World):
    people = await _people(world, 8)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    leave(world, people[3])

    cycle = await world.cycle()

    assert cycle.counts.staged == 4
    stages = await world.store.list_stages(JOB)
    assert sorted(each.effects for each in stages) == [1, 3]
    # Undecided effects leave the budget's window, but stay staged.
    world.clock.now += timedelta(seconds=DAY)
    leave(world, people[4])
    later = await world.cycle()
    assert (later.counts.disable, later.counts.staged) == (1, 4)


async def test_budget_covers_a_window_not_a_cycle(world: World):
    people = await _people(world, 9)
    world.guard = {"disables": TWO}
    for gone in people[:2]:
        leave(world, gone)
        assert (await world.cycle()).counts.disable == 1
    leave(world, people[2])
    blocked = await world.cycle()
    assert (blocked.state, blocked.counts.disable) == ("blocked", 0)
    assert (await _only_stage(world)).effects == 1

    world.clock.now += timedelta(seconds=DAY + 60)
    leave(world, people[3], people[4])
    assert (await world.cycle()).counts.disable == 2


async def test_effects_no_longer_wanted_leave_their_stage(world: World):
    people = await _people(world, 6)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    for number in (1, 2, 3):
        world.person(number)
    come(world, *(world.objects[each] for each in people[:3]))

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.staged, cycle.requests) == ("succeeded", 0, 0)
    assert await world.store.list_stages(JOB) == []


async def test_discarded_effects_are_not_proposed_again(world: World):
    people = await _people(world, 6)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    assert (
        await world.store.discard_stage(await _only_stage(world), world.clock.now) == 3
    )
    world.delta = []

    for _ in range(2):
        cycle = await world.cycle()
        assert (cycle.state, cycle.requests, cycle.counts.skipped) == (
            "succeeded",
            0,
            3,
        )
    assert await world.store.list_stages(JOB) == []

    world.person(1)
    come(world, world.objects[people[0]])
    await world.cycle()
    leave(world, people[0])
    assert (await world.cycle()).counts.disable == 1


async def test_removals_are_staged_one_by_one_and_additions_continue(world: World):
    people = await _people(world, 5)
    group = world.group(20, *people[:4])
    come(world, world.objects[group])
    await world.cycle()
    assert world.members_of(group) == set(people[:4])
    world.guard = {"memberRemovals": NONE}
    world.members[group] = {people[0], people[4]}
    world.answers[group] = world.objects[group]
    await world.store.add_inquiries(JOB, [group])
    world.delta = []

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.member_add, cycle.counts.staged) == (
        "blocked",
        1,
        3,
    )
    stage = await _only_stage(world)
    assert (stage.effects, stage.what) == (3, {"memberRemove": 3})
    world.members[group].add(people[1])
    await _allow(world, stage.id)
    done = await world.cycle()
    assert (done.state, done.counts.member_remove) == ("succeeded", 2)
    assert world.members_of(group) == {people[0], people[1], people[4]}


async def test_deletion_of_an_interrupted_cycle_does_not_exempt_removals(world: World):
    people = await _people(world, 3)
    group = world.group(20, *people)
    come(world, world.objects[group])
    await world.cycle()
    person = people[0]
    stale = Effect(
        key=person,
        id=person,
        type="user",
        resource_type="User",
        action="delete",
        phase=PHASE_DEPROVISION,
        anchor=person,
        resource=world.id_of(person),
    )
    await world.store.save_effects(JOB, "killed", [stale])
    world.guard = {"memberRemovals": NONE}
    world.members[group].discard(person)
    world.answers[group] = world.objects[group]
    await world.store.add_inquiries(JOB, [group])
    world.delta = []

    assert (await world.cycle()).state == "blocked"
    assert world.members_of(group) == set(people)


@pytest.mark.parametrize("guard", ["deletes", "disables"])
async def test_plan_shows_the_stage_that_the_cycle_would_create(
    world: World, guard: str
):
    people = await _people(world, 6)
    world.guard = {"disables": NONE, "deletes": NONE}
    if guard == "deletes":
        world.program = DELETING
    for each in people[:3]:
        del world.objects[each]
        world.answers[each] = OutOfScope(id=each)
    world.delta = [OutOfScope(id=each) for each in people[:3]]

    found = await compute_impact(world.run(), plan_digest="d" * 32)

    (trip,) = found.exceeded
    assert (trip.guard, trip.effects, found.counts.staged) == (guard, 3, 3)
    assert await world.store.list_stages(JOB) == []
    await _allow(world, trip.digest)
    allowed = await compute_impact(world.run(), plan_digest="d" * 32)
    assert (allowed.exceeded, allowed.counts.staged) == ((), 0)
    assert allowed.outbox_digest != found.outbox_digest
    cycle = await world.cycle()
    assert (cycle.state, cycle.counts.staged) == ("succeeded", 0)
    assert cycle.counts.disable + cycle.counts.delete == 3


async def test_plan_lists_waiting_stages(world: World):
    people = await _people(world, 6)
    world.guard = {"disables": TWO}
    leave(world, *people[:3])
    await world.cycle()
    stage = await _only_stage(world)

    found = await compute_impact(world.run(), plan_digest="d" * 32)

    assert [(each.digest, each.effects) for each in found.exceeded] == [(stage.id, 3)]
    assert await world.store.list_stages(JOB) == [stage]


async def test_creates_of_the_first_cycle_do_not_charge_the_next(world: World):
    world.guard = {"creates": TWO}
    await _people(world, 9)
    world.person(10)
    come(world, world.objects[guid(10)])
    assert (await world.cycle()).counts.create == 1


async def test_allowance_of_a_plan_is_used_only_once(world: World):
    people = await _people(world, 6)
    world.guard = {"disables": TWO}
    leave(world, *people[:4])
    (trip,) = (await compute_impact(world.run(), plan_digest="d")).exceeded
    await _allow(world, trip.digest)
    assert (await world.cycle()).counts.disable == 4
    assert await world.store.list_allowances(world.clock.now) == []

    for number in range(1, 5):
        world.person(number)
        world.answers.pop(people[number - 1], None)
    world.delta = [world.objects[each] for each in people[:4]]
    assert (await world.cycle()).counts.enable == 4
    leave(world, *people[:4])

    again = await world.cycle()

    assert (again.counts.disable, again.counts.staged) == (0, 4)
    assert _active(world) == 6
