"""A cycle evaluates changed objects and those they affect; the rest is settled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import MANAGER, World, active_rule, guid, with_rule

from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import OutOfScope
from cloudforest.model.source import SourceObject


@pytest.fixture
def looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the objects that the evaluations look at."""
    ids: list[str] = []
    read = world.store.list_source_objects

    async def sources(*arguments, **options) -> list[SourceObject]:
        rows = await read(*arguments, **options)
        ids.extend(row.object_guid for row in rows)
        return rows

    monkeypatch.setattr(world.store, "list_source_objects", sources)
    return ids


async def test_settled_object_is_not_evaluated(world: World, looked_at: list[str]):
    boss = world.person(1)
    people = [boss, *(world.person(n, manager=boss) for n in (2, 3))]
    group = world.group(20, *people)
    await world.cycle()
    assert looked_at == [*people, group]

    looked_at.clear()
    world.person(3, title="Head", manager=boss)
    world.delta = [*world.objects.values()]
    cycle = await world.cycle()
    assert looked_at == [guid(3)]
    assert (cycle.counts.in_scope, cycle.counts.unchanged) == (4, 3)

    looked_at.clear()
    cycle = await world.cycle()
    assert looked_at == []
    assert (cycle.counts.in_scope, cycle.counts.unchanged) == (4, 4)


async def test_changed_mapping_evaluates_all_objects(
    world: World, looked_at: list[str]
):
    person = world.person(1)
    await world.cycle()
    looked_at.clear()
    world.program = with_rule("title", active_rule().expression)

    cycle = await world.cycle()

    assert looked_at == [person]
    assert cycle.counts.update == 1


async def test_unwritten_object_is_evaluated_again(world: World, looked_at: list[str]):
    class Down(MemoryTarget):
        async def create(self, *_arguments):
            raise Unavailable("The target cloud does not answer.")

    world.target = Down()
    person = world.person(1)
    await world.cycle()
    world.target = MemoryTarget()
    world.delta = []

    await world.cycle()

    assert looked_at == [person, person]
    assert person in world.of("User")


async def test_reports_are_evaluated_when_their_manager_enters(
    world: World, looked_at: list[str]
):
    report, other = world.person(1, manager=guid(9)), world.person(2)
    await world.cycle()
    looked_at.clear()
    boss = world.person(9)
    world.delta = [world.objects[boss]]

    await world.cycle()

    assert looked_at == [report, boss]
    assert world.of("User")[report][MANAGER] == world.id_of(boss)
    assert other not in looked_at
    looked_at.clear()
    world.delta = []
    await world.cycle()
    assert looked_at == []


async def test_manager_in_escrow_keeps_reports_unsettled(
    world: World, looked_at: list[str]
):
    report = world.person(1, manager=guid(9))
    boss = world.person(9)
    clash = {"externalId": boss}
    world.target.resources_by_id = {
        each: MemoryResource("User", dict(clash)) for each in "xy"
    }
    await world.cycle()
    del world.target.resources_by_id["y"]
    world.delta = []
    world.clock.now += timedelta(minutes=1)
    looked_at.clear()

    await world.cycle()

    assert looked_at == [report, boss]
    assert world.of("User")[report][MANAGER] == "x"


async def test_object_that_left_is_not_counted(world: World):
    person, other = world.person(1), world.person(2)
    await world.cycle()
    world.delta = [OutOfScope(id=person)]

    await world.cycle()
    world.delta = []
    cycle = await world.cycle()

    assert other in world.of("User")
    assert (cycle.counts.in_scope, cycle.counts.unchanged) == (1, 1)
