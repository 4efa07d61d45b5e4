"""Creations: which a cycle is to send, and which of them may have been."""

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


async def test_what_was_sent_is_read_so_until_it_is_taken_back(
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


async def test_only_what_this_cycle_is_to_create_is_a_creation(
    store: ProvisioningStore,
):
    await store.save_effects("j", "c0", [effect("old")])
    found = effect("found", resource="r-1")
    held = effect("held", state="escrowed")
    await store.save_effects("j", "c1", [effect("new"), found, held])

    asked = ["old", "new", "found", "held", "nobody"]

    assert await store.find_pending_creations("j", "c1", asked) == {"new": PHASE_WRITE}


async def test_a_list_is_one_parameter_however_long_and_whatever_is_in_it(
    store: ProvisioningStore,
):
    odd = ['"', "\\", "O'Brien", "Zoë", "["]
    await store.save_effects("j", "c1", [effect(each) for each in odd])
    many = [str(number) for number in range(20_000)]

    assert set(await store.load_effects("j", [*odd, *many, *odd])) == set(odd)
