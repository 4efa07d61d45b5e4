"""The impact equals what the cycle then does."""

from __future__ import annotations

import asyncio

from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import JOB, MANAGER, World, guid

from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Budget
from cloudforest.provisioning.impact import compute_impact


async def test_impact_equals_the_next_cycle(world: World):
    boss = world.person(1)
    world.group(20, boss, world.person(2, manager=boss))
    await world.cycle()
    world.group(20, boss, world.person(3, manager=boss))
    world.person(2, title="Head", manager=boss)
    await world.read_all()
    before = list(world.target.writes)
    start = await world.store.load_watermark(JOB)

    found = await compute_impact(world.run(), plan_digest="d" * 64)

    assert world.target.writes == before
    assert set(await world.store.count_effects()) <= {JOB}
    assert await world.store.load_watermark(JOB) == start
    cycle = await world.cycle()
    assert found.counts == cycle.counts
    assert found.requests == len(world.target.writes) - len(before)


async def test_impact_equals_the_next_cycle_with_objects_in_escrow(world: World):
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

    found = await compute_impact(world.run(), plan_digest="d" * 32)

    assert (found.counts.member_add, found.counts.update, found.requests) == (0, 0, 0)
    assert (await world.cycle()).counts == found.counts


async def test_impact_does_not_count_references_that_an_adoption_finds(world: World):
    boss = world.person(1)
    person = world.person(2, manager=boss)
    same = {"active": True, "displayName": "Person 1", "userName": "p1@contoso.com"}
    world.target.resources_by_id["b"] = MemoryResource(
        "User", {"externalId": boss, **same}
    )
    same = {"active": True, "displayName": "Person 2", "userName": "p2@contoso.com"}
    found = MemoryResource("User", {"externalId": person, **same, MANAGER: "b"})
    world.target.resources_by_id["c"] = found

    expected = await compute_impact(world.run(), plan_digest="e" * 32)
    cycle = await world.cycle()

    assert expected.counts == cycle.counts
    assert (expected.requests, world.target.writes) == (0, [])


async def test_impact_does_not_count_effects_that_wait_for_a_stage(world: World):
    await world.cycle()
    world.guard = {"creates": Budget(max=0, percent=0, base=1, window=86400)}
    boss = world.person(1)
    world.group(20, boss, world.person(2, manager=boss))
    await world.read_all()

    expected = await compute_impact(world.run(), plan_digest="f" * 32)
    cycle = await world.cycle()

    assert (expected.counts.staged, expected.requests) == (3, 0)
    assert expected.counts == cycle.counts
    assert world.target.writes == []


async def test_concurrent_previews_do_not_affect_each_other(world: World):
    for number in range(1, 30):
        world.person(number)
    world.group(99, guid(1), guid(2))

    async def later(milliseconds: int):
        await asyncio.sleep(milliseconds / 1000)
        return await compute_impact(world.run(), plan_digest="d" * 32)

    found = await asyncio.gather(*(later(2 * number) for number in range(8)))

    assert {(each.counts.create, each.counts.member_add) for each in found} == {(30, 2)}
