"""Who belongs where, and what a cycle about one object leaves to the others."""

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


async def test_the_groups_of_a_member_are_counted_and_the_first_named(
    store: ProvisioningStore,
):
    groups = [person(each, kind="group") for each in ("g", "h", "i")]
    wanted = [Members(id=each.id, add=("a",)) for each in groups]
    generation = await store.begin_import("j", "c1")
    await store.save_page("j", generation, [*groups, person("a"), *wanted], MARK)
    await store.save_page("j", generation, [Members(id="i", remove=("a",))], None)

    assert await store.list_groups_of("j", "a", 1) == (2, ("CN=g",))
    assert await store.list_groups_of("k", "a", 9) == (0, ())
    assert await store.load_dns("j", ["a", "g", "x"]) == {"a": "CN=a", "g": "CN=g"}
    assert await store.load_written_members("t", "g") == frozenset()


async def test_only_one_objects_effects_are_dropped_on_demand(
    store: ProvisioningStore,
):
    await store.save_effects("j", "c1", [effect("a"), effect("b")])
    await store.save_effects("j", "c2", [effect("c")])

    await store.drop_stale_effects("j", "c2", only_object="a")

    assert set(await store.load_effects("j", ["a", "b", "c"])) == {"b", "c"}
