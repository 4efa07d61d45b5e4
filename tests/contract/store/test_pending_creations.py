"""Creations that a cycle will send, and those that may have been sent."""

from __future__ import annotations

import pytest
from tests.support.rows import effect

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.model.effects import PHASE_WRITE
from cloudforest.model.ports.store import ProvisioningStore


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


async def test_sent_mark_is_kept_until_removed(
    store: ProvisioningStore,
):
    await store.save_effects("j", "c1", [effect("a"), effect("b")])

    await store.mark_sent("j", ["a"], sent=True)

    assert await store.load_effects("j", ["a", "b"]) == {
        "a": effect("a", sent=True),
        "b": effect("b"),
    }
    pending = await store.list_pending_effects(
        "j", "c1", PHASE_WRITE, after="", limit=9
    )
    assert pending == [effect("a", sent=True), effect("b")]
    await store.mark_sent("j", ["a"], sent=False)
    assert (await store.load_effects("j", ["a"]))["a"] == effect("a")


async def test_only_creations_of_this_cycle_are_pending(
    store: ProvisioningStore,
):
    await store.save_effects("j", "c0", [effect("old")])
    found = effect("found", resource="r-1")
    escrowed = effect("held", state="escrowed")
    await store.save_effects("j", "c1", [effect("new"), found, escrowed])

    ids = ["old", "new", "found", "held", "nobody"]

    assert await store.find_pending_creations("j", "c1", ids) == {"new": PHASE_WRITE}


async def test_list_is_one_parameter_whatever_its_length_and_values(
    store: ProvisioningStore,
):
    odd = ['"', "\\", "O'Brien", "Zoë", "["]
    await store.save_effects("j", "c1", [effect(each) for each in odd])
    many = [str(number) for number in range(20_000)]

    assert set(await store.load_effects("j", [*odd, *many, *odd])) == set(odd)
