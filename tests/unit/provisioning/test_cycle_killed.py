"""A cycle killed at any moment: the next one reaches the same target."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.killed import Fragile, Killed, Mortal
from tests.support.memory_target import MemoryResource
from tests.support.world import MANAGER, World, guid

from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.tables import metadata


def _populate(world: World) -> None:
    boss = world.person(1)
    people = [world.person(n, manager=boss) for n in range(2, 9)]
    world.group(20, boss, *people)
    world.group(21, guid(20), *people[:3])
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "p3@contoso.com"}
    )
    group = {"displayName": "Group 21", "externalId": guid(21)}
    world.target.resources_by_id["g"] = MemoryResource("Group", group, {"x"})


def _picture(world: World) -> dict[str, Any]:
    """Return the target without its ids."""
    names = {
        id_: held.values["externalId"]
        for id_, held in world.target.resources_by_id.items()
    }
    return {
        names[id_]: {
            **held.values,
            MANAGER: names.get(held.values.get(MANAGER, "")),
            "members": sorted(names[each] for each in held.members),
        }
        for id_, held in world.target.resources_by_id.items()
    }


async def _mortal_world() -> tuple[Mortal, World]:
    database = Mortal("sqlite://")
    await database.run(metadata.create_all)
    world = World(SqlProvisioningStore(database), target=Fragile())
    _populate(world)
    return database, world


async def _expected() -> dict[str, Any]:
    database, world = await _mortal_world()
    assert (await world.cycle()).state == "succeeded"
    database.close()
    return _picture(world)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """Return what the target holds after an undisturbed cycle."""
    return asyncio.run(_expected())


async def _converges(world: World, expected: dict[str, Any]) -> None:
    cycle = await world.cycle()
    assert (cycle.state, cycle.error) == ("succeeded", None)
    assert _picture(world) == expected
    world.delta = []
    assert (await world.cycle()).requests == 0
    links = await world.store.load_links("cloud", list(world.objects))
    origins = {id_: link.origin for id_, link in links.items()}
    adopted = {guid(3), guid(21)}
    assert {id_ for id_, each in origins.items() if each == "adopted"} == adopted


@pytest.mark.sampled
@pytest.mark.parametrize("transaction", range(1, 52))
async def test_cycle_killed_in_any_transaction_converges(
    transaction: int, expected: dict[str, Any]
):
    database, world = await _mortal_world()
    database.left = transaction
    with pytest.raises((Killed, BaseExceptionGroup)):
        await world.cycle()
    database.left = 10**9
    await _converges(world, expected)
    database.close()


@pytest.mark.sampled
@pytest.mark.parametrize("write", range(1, 17))
async def test_cycle_killed_before_the_answer_to_any_write_converges(
    write: int, expected: dict[str, Any]
):
    database, world = await _mortal_world()
    assert isinstance(world.target, Fragile)
    world.target.left = write
    world.target.cycle = asyncio.create_task(world.cycle())
    await asyncio.wait([world.target.cycle])
    assert world.target.cycle.cancelled()
    world.target.left = 10**9
    await _converges(world, expected)
    database.close()
