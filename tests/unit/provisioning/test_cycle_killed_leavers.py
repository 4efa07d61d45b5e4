"""A cycle that removes access, killed at any moment: the next one converges."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.killed import Fragile, Killed, Mortal
from tests.support.leavers import DELETING, leave
from tests.support.world import MANAGER, World, guid

from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.tables import metadata


async def _world() -> tuple[Mortal, World]:
    """Return a world whose next cycle deletes, swaps, clears and removes."""
    database = Mortal("sqlite://")
    await database.run(metadata.create_all)
    world = World(SqlProvisioningStore(database), target=Fragile(), program=DELETING)
    boss = world.person(1)
    people = [world.person(number, manager=boss) for number in range(2, 7)]
    world.group(20, boss, *people)
    world.group(21, guid(20), people[0])
    assert (await world.cycle()).state == "succeeded"
    world.person(3, userprincipalname="p4@contoso.com", manager=boss)
    world.person(4, userprincipalname="p3@contoso.com", manager=boss)
    swapped = [world.objects[guid(3)], world.objects[guid(4)]]
    leave(world, boss, guid(2), guid(20), gone=True)
    world.delta = [*(world.delta or []), *swapped]
    return database, world


def _picture(world: World) -> dict[str, Any]:
    names = {
        id_: held.values["externalId"]
        for id_, held in world.target.resources_by_id.items()
    }
    return {
        names[id_]: {
            **held.values,
            MANAGER: held.values.get(MANAGER),
            "members": sorted(names.get(each, each) for each in held.members),
        }
        for id_, held in world.target.resources_by_id.items()
    }


async def _converges(world: World) -> None:
    cycle = await world.cycle()
    assert (cycle.state, cycle.error) == ("succeeded", None)
    picture = _picture(world)
    assert set(picture) == {guid(number) for number in (3, 4, 5, 6, 21)}
    assert picture[guid(3)]["userName"] == "p4@contoso.com"
    assert picture[guid(4)]["userName"] == "p3@contoso.com"
    assert [picture[guid(number)][MANAGER] for number in (3, 4, 5, 6)] == [None] * 4
    assert picture[guid(21)]["members"] == []
    world.delta = []
    assert (await world.cycle()).requests == 0


async def test_undisturbed_cycle_reaches_the_expected_state() -> None:
    database, world = await _world()
    before = database.left
    await _converges(world)
    assert before - database.left > 40
    database.close()


@pytest.mark.sampled
@pytest.mark.parametrize("transaction", range(1, 60))
async def test_cycle_killed_in_any_transaction_converges(transaction: int) -> None:
    database, world = await _world()
    database.left = transaction
    try:
        await world.cycle()
    except (Killed, BaseExceptionGroup):
        database.left = 10**9
    await _converges(world)
    database.close()
