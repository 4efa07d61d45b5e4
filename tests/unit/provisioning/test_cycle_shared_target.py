"""Two jobs of one target: an object lost to one may be held by the other."""

from __future__ import annotations

from tests.support.leavers import leave
from tests.support.shared_target import both, cycle_of
from tests.support.world import World


async def test_last_job_that_loses_a_person_deprovisions_it(world: World):
    lab, tree = both(world)
    person = world.person(1)
    lab.objects[person] = world.objects[person]
    group = world.group(20, person, world.person(2))
    await cycle_of(world, "people", world, tree)
    await cycle_of(world, "lab", lab, tree)
    leave(world, person, gone=True)

    kept = await cycle_of(world, "people", world, tree)

    assert (kept.counts.disable, kept.counts.member_remove) == (0, 0)
    assert world.of("User")[person]["active"] is True
    assert world.members_of(group) >= {person}
    leave(lab, person)
    lost = await cycle_of(world, "lab", lab, tree)
    assert (lost.counts.disable, lost.counts.member_remove) == (1, 1)
    assert world.of("User")[person]["active"] is False
    assert person not in world.members_of(group)
    world.delta = lab.delta = []
    for job, bus in (("people", world), ("lab", lab)):
        assert (await cycle_of(world, job, bus, tree)).requests == 0


async def test_object_held_only_by_a_removed_job_stays_in_place(world: World):
    lab, tree = both(world)
    person = world.person(1)
    lab.objects[person] = world.objects[person]
    group = world.group(20, person)
    await cycle_of(world, "people", world, tree)
    await cycle_of(world, "lab", lab, tree)
    leave(world, person)
    assert (await cycle_of(world, "people", world, tree)).counts.disable == 0
    world.delta = []

    alone = await world.cycle()

    assert (alone.counts.disable, alone.requests) == (0, 0)
    assert world.of("User")[person]["active"] is True
    assert world.members_of(group) == {person}
    world.person(1, title="Head")
    world.delta = [world.objects[person]]
    assert (await world.cycle()).counts.update == 1
    leave(world, person)
    assert (await world.cycle()).counts.disable == 1
