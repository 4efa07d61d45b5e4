from __future__ import annotations

import msgspec
from tests.support.clock import ManualClock
from tests.support.world import JOB, World

from cloudforest.provisioning.scheduler import BATCH, Retention


async def test_only_old_log_entries_and_cycles_are_pruned(world: World):
    world.person(1)
    await world.cycle()
    (entry,) = await world.log()
    old = [msgspec.structs.replace(entry, object=str(n)) for n in range(BATCH + 1)]
    await world.store.save_log_entries(old)
    registration = world.registration()
    kept = msgspec.structs.replace(registration.tenant, log_retention=3600)

    async def read():
        return msgspec.structs.replace(registration, tenant=kept)

    clock = ManualClock(world.clock())
    retention = Retention(read, world.store, clock)
    assert await retention.prune() == 0
    clock.now = clock.now.replace(hour=13, minute=30)
    fresh = msgspec.structs.replace(entry, time=clock.now)
    await world.store.save_log_entries([fresh])

    world.clock.now = clock.now
    later = await world.cycle()

    assert await retention.prune() == BATCH + 2 + 1
    assert await world.store.load_last_cycles() == {JOB: later}
    assert await world.log(job=JOB) == [fresh]
