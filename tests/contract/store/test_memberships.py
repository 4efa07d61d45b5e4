"""Groups of a member, and provisioning on demand that leaves other objects alone."""

from __future__ import annotations

import pytest
from tests.support.rows import MARK, effect, person

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.model.messages import Members
from cloudforest.model.ports.store import ProvisioningStore


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


async def test_groups_of_member_are_counted_and_first_are_named(
    store: ProvisioningStore,
):
    groups = [person(each, kind="group") for each in ("g", "h", "i")]
    wanted = [Members(id=each.id, add=("a",)) for each in groups]
    generation = await store.begin_import("j")
    await store.save_page("j", generation, [*groups, person("a"), *wanted], MARK)
    await store.save_page("j", generation, [Members(id="i", remove=("a",))], None)

    assert await store.list_groups_of("j", "a", 1) == (2, ("CN=g",))
    assert await store.list_groups_of("k", "a", 9) == (0, ())
    assert await store.load_dns("j", ["a", "g", "x"]) == {"a": "CN=a", "g": "CN=g"}
    assert await store.load_written_members("t", "g") == frozenset()


async def test_provision_on_demand_drops_effects_of_one_object_only(
    store: ProvisioningStore,
):
    await store.save_effects("j", "c1", [effect("a"), effect("b")])
    await store.save_effects("j", "c2", [effect("c")])

    await store.drop_stale_effects("j", "c2", only_object="a")

    assert set(await store.load_effects("j", ["a", "b", "c"])) == {"b", "c"}
