"""Two jobs that write to one target."""

from __future__ import annotations

import msgspec
from tests.support.world import JOB, World

from cloudforest.model.cycles import Cycle
from cloudforest.model.registration import Registration
from cloudforest.provisioning.cycle import run_cycle
from cloudforest.provisioning.run import CycleContext


def other_job(world: World) -> tuple[World, Registration]:
    other = World(
        store=world.store, target=world.target, clock=world.clock, turns=world.turns
    )
    old = other.registration()
    job = msgspec.structs.replace(old.jobs[0], name="lab")
    programs = {"lab": old.programs[JOB]}
    return other, msgspec.structs.replace(old, jobs=(job,), programs=programs)


def both(world: World) -> tuple[World, Registration]:
    """Return the directory of a second job, and a tree with both of them."""
    lab, alone = other_job(world)
    own = world.registration()
    return lab, msgspec.structs.replace(
        own, jobs=(*own.jobs, *alone.jobs), programs=own.programs | alone.programs
    )


async def cycle_of(world: World, job: str, bus: World, tree: Registration) -> Cycle:
    context = CycleContext.open(
        tree,
        job,
        store=world.store,
        bus=bus,
        target=world.target,
        clock=world.clock,
    )
    return await run_cycle(context, tree, world.turns)
