"""Two jobs of one target: who is lost to one may still be held by the other."""

from __future__ import annotations

import msgspec
from tests.support.world import World
from tests.unit.provisioning.evaluation.test_deprovision import leave
from tests.unit.provisioning.test_matching import _other_job

from cloudforest.model.cycles import Cycle
from cloudforest.model.registration import Registration
from cloudforest.provisioning.cycle import run_cycle


def both(world: World) -> tuple[World, Registration]:
    """Return the directory of a second job, and a tree with both of them."""
    lab, alone = _other_job(world)
    own = world.registration()
    return lab, msgspec.structs.replace(
        own, jobs=(*own.jobs, *alone.jobs), programs=own.programs | alone.programs
    )


async def cycle_of(world: World, job: str, bus: World, tree: Registration) -> Cycle:
    return await run_cycle(
        job,
        tree,
        store=world.store,
        bus=bus,
        target=world.target,
        clock=world.clock,
        turns=world.turns,
    )


async def test_the_last_job_that_loses_a_person_deprovisions(world: World):
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


async def test_who_only_a_removed_job_held_stays_in_place(world: World):
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
