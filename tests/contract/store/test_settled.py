"""Settled objects are not evaluated until something about them changes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.model.effects import Effect, EvaluatedBatch, Outcome
from cloudforest.model.messages import InScope, OutOfScope, Record, Tombstone
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.source import Link

NOTHING: Mapping[str, tuple[str, ...]] = {}


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


def found(id_: str, *, title: str = "Clerk", dn: str = "", **seen: bool) -> InScope:
    return InScope(
        id=id_,
        type="user",
        dn=dn or f"CN={id_}",
        parent=None,
        anchor=id_,
        attributes={"title": (title,)},
        seen=tuple(seen),
    )


def effect(id_: str, action: str = "create") -> Effect:
    return Effect(
        key=id_,
        id=id_,
        type="user",
        resource_type="User",
        action=action,  # type: ignore[arg-type]
        phase=1,
        anchor=id_,
    )


async def imported(store: ProvisioningStore, *records: Record, job: str = "j") -> None:
    generation = await store.begin_import(job)
    await store.save_page(job, generation, records, None)


async def evaluated(
    store: ProvisioningStore,
    ids: str,
    *effects: Effect,
    refers: Mapping[str, tuple[str, ...]] = NOTHING,
    job: str = "j",
    cycle: str = "c",
    digest: str = "d",
) -> None:
    references = {each: refers.get(each, ()) for each in ids}
    rows = EvaluatedBatch(ids=tuple(ids), effects=effects, references=references)
    await store.save_evaluated_batch(job, cycle, digest, rows)


async def due(store: ProvisioningStore, digest: str = "d", job: str = "j") -> str:
    """Begin an evaluation; return the objects that are due."""
    present, settled, number = await store.begin_evaluation(job, "t", digest)
    rows = await store.list_source_objects(job, "t", "", 99, settled=digest)
    assert number == len(rows) >= present - settled
    return "".join(each.object_guid for each in rows)


async def wrote(store: ProvisioningStore, *effects: Effect, cycle: str = "c") -> None:
    outcomes = [
        Outcome(
            effect=each,
            state="done",
            link=Link(
                object_guid=each.id,
                type="user",
                resource=f"r-{each.id}",
                resource_type="User",
                origin="created",
                source_anchor=each.id,
                last_written={},
            ),
        )
        for each in effects
    ]
    await store.save_outcomes("j", "t", cycle, outcomes=outcomes, log=[])


async def test_object_without_effects_is_settled_until_it_changes(
    store: ProvisioningStore,
):
    await imported(store, *map(found, "abcd"))
    assert await due(store) == "abcd"
    await evaluated(store, "abcd")
    assert await due(store) == ""
    assert await store.begin_evaluation("j", "t", "d") == (4, 4, 0)

    await imported(store, found("a", dept=True), found("b", title="Head"))
    await imported(store, found("c", dn="CN=c,OU=Moved"))
    assert await due(store) == "bc"

    assert await due(store, digest="other rules") == "abcd"


async def test_object_back_in_scope_is_due_without_other_changes(
    store: ProvisioningStore,
):
    await imported(store, found("a", dept=True), found("b"))
    await evaluated(store, "ab")
    await wrote(store, effect("a", "update"))
    await evaluated(store, "a")
    await imported(store, OutOfScope(id="a", rests_on=("dept",)))
    assert await due(store) == "a"
    await evaluated(store, "a")
    assert await due(store) == ""
    await imported(store, found("a", dept=True))
    assert await due(store) == "a"


async def test_object_that_left_scope_is_due_once(store: ProvisioningStore):
    await imported(store, found("a"))
    await imported(store, Tombstone(id="a"))
    await evaluated(store, "a")
    before = await store.load_source_object("j", "a")
    await imported(store, Tombstone(id="a"))
    assert await store.load_source_object("j", "a") == before
    assert await due(store) == ""


async def test_object_with_effect_settles_when_written(
    store: ProvisioningStore,
):
    await imported(store, *map(found, "abc"))
    await evaluated(store, "abc", effect("a"), effect("b"))
    assert await due(store) == "ab"
    await wrote(store, effect("a"))
    await store.settle_written("j", "c", "d")
    assert await due(store) == "b"

    await store.drop_stale_effects("j", "next")
    await store.settle_written("j", "next", "d")
    assert await due(store) == "b"


async def test_referrers_of_unsettled_object_are_due(
    store: ProvisioningStore,
):
    await imported(store, *map(found, "abc"))
    await evaluated(store, "abc", refers={"a": ("x", "b"), "c": ("a",)})
    await imported(store, found("x"))
    assert await due(store) == "ax"

    await evaluated(store, "ax")
    await imported(store, found("b", title="Head"))
    assert await due(store) == "b"


async def test_referrers_of_newly_linked_object_are_due(
    store: ProvisioningStore,
):
    for job in ("j", "k"):
        await imported(store, *map(found, "abc"), job=job)
        await evaluated(store, "abc", refers={"a": ("b",)}, job=job)
    await evaluated(store, "b", effect("b"))

    await wrote(store, effect("b"))
    await store.settle_written("j", "c", "d")

    assert await due(store) == "a"
    assert await due(store, job="k") == "ab"


async def test_referrers_of_deleted_resource_are_due(
    store: ProvisioningStore,
):
    for job in ("j", "k"):
        await imported(store, *map(found, "abc"), job=job)
        await evaluated(store, "abc", refers={"a": ("b",)}, job=job)
    deleted = Outcome(effect=effect("b", "delete"), state="done")

    await store.save_outcomes("j", "t", "c", outcomes=[deleted], log=[])

    assert await due(store, job="k") == "ab"


async def test_writes_do_not_unsettle_objects_evaluated_by_same_cycle(
    store: ProvisioningStore,
):
    await imported(store, *map(found, "ab"))
    waiting = effect("a", "update")
    await evaluated(store, "ab", waiting, effect("b"), refers={"a": ("b",)})
    await wrote(store, effect("b"))
    await wrote(store, waiting)
    await store.settle_written("j", "c", "d")
    assert await due(store) == ""


async def test_change_of_presence_in_one_job_unsettles_object_in_others(
    store: ProvisioningStore,
):
    for job in ("j", "k"):
        await imported(store, *map(found, "ab"), job=job)
        await evaluated(store, "ab", job=job)
    await imported(store, OutOfScope(id="a"), found("b"), job="k")
    assert await due(store) == "a"


async def test_observed_values_count_as_written(
    store: ProvisioningStore,
):
    """Objects gone in the target lose their link and their memberships."""
    await imported(store, *map(found, "abcd"))
    await evaluated(store, "abcd", *map(effect, "abd"), refers={"c": ("b",)})
    await wrote(store, *map(effect, "abd"))
    joined = Outcome(effect=effect("d", "members"), state="done", added=("a", "b"))
    await store.save_outcomes("j", "t", "c", outcomes=[joined], log=[])
    await store.settle_written("j", "c", "d")
    await evaluated(store, "c", refers={"c": ("b",)})
    assert await due(store) == ""
    before = await store.load_links("t", ["a", "b"])

    as_found = msgspec.structs.replace(before["a"], last_written={"title": "King"})
    await store.save_observed("t", [as_found], ["b"])

    assert await store.load_links("t", ["a", "b"]) == {"a": as_found}
    assert await store.load_written_members("t", "d") == {"a"}
    assert await due(store) == "abc"
