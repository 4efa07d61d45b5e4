"""Stages, allowances and budgets, and the transactions that change them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.model.effects import PHASE_DEPROVISION, Effect, Outcome
from cloudforest.model.jobs import JobKey
from cloudforest.model.messages import InScope, OutOfScope
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.source import Link
from cloudforest.model.stages import HELD_BY_STAGE, Allowance, BudgetCharge, Stage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DIGEST = "d" * 64


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


def disable(id_: str, **fields) -> Effect:
    return Effect(
        key=id_,
        id=id_,
        type="user",
        resource_type="User",
        action="disable",
        phase=PHASE_DEPROVISION,
        anchor=id_,
        **fields,
    )


def link(id_: str) -> Link:
    return Link(
        object_guid=id_,
        type="user",
        resource=f"r-{id_}",
        resource_type="User",
        origin="created",
        source_anchor=id_,
        last_written={"userName": id_, "active": True},
    )


def a_stage(**fields) -> Stage:
    stage = Stage(
        id=DIGEST,
        job="j",
        guard="disables",
        cycle="c1",
        created=NOON,
        limit=1,
        effects=2,
        what={"disable": 2},
    )
    return msgspec.structs.replace(stage, **fields)


async def staged(store: ProvisioningStore, *ids: str) -> None:
    effects = [disable(each, state="staged", stage=DIGEST) for each in ids]
    await store.save_effects("j", "c1", effects)
    await store.save_stage(a_stage())


async def test_stage_holds_effects_that_name_it(store: ProvisioningStore):
    await store.save_effects("j", "c1", [disable("x"), disable("y", stage="e" * 64)])
    await staged(store, "a", "b")
    await store.save_effects("plan:x", "c1", [disable("c", stage=DIGEST)])

    assert await store.list_stages() == [a_stage(waiting=2)]
    assert await store.list_stages("k") == []
    held = await store.list_staged_effects(DIGEST, "", 9)
    assert [(each.key, each.action) for each in held] == [
        ("a", "disable"),
        ("b", "disable"),
    ]
    assert await store.list_staged_effects(DIGEST, "a", 9) == held[1:]


async def test_effects_not_wanted_by_cycle_are_superseded(store: ProvisioningStore):
    await staged(store, "a", "b")
    await store.save_effects("j", "c2", [disable("b", stage=DIGEST)])

    moot = await store.list_superseded_effects("j", "c2", DIGEST, 9)

    assert [each.key for each in moot] == ["a"]
    await store.forget_staged_effects(DIGEST, ["a"], [])
    assert await store.list_superseded_effects("j", "c2", DIGEST, 9) == []


async def test_stage_closes_with_its_last_effect(store: ProvisioningStore):
    await staged(store, "a", "b")
    word = Allowance(stage=DIGEST, job="j", operator="Ann", until=NOON)
    await store.save_allowance(word)
    await store.close_stages("j", NOON)
    assert len(await store.list_stages()) == 1
    done = [
        Outcome(effect=disable(each, stage=DIGEST), state="done") for each in ("a", "b")
    ]
    await store.save_outcomes("j", "t", "c2", outcomes=done, log=[])
    assert await store.list_staged_effects(DIGEST, "", 9) == []

    await store.close_stages("j", NOON)

    assert await store.list_stages() == []
    assert await store.list_allowances(NOON - timedelta(hours=1)) == []


async def test_discarded_effects_stay_discarded(store: ProvisioningStore):
    await staged(store, *(f"{number:04}" for number in range(1200)))

    assert await store.discard_stage(a_stage(), NOON) == 1200

    assert await store.list_stages() == []
    (effect,) = (await store.load_effects("j", ["0700"])).values()
    assert (effect.state, effect.stage) == ("discarded", None)
    assert (await store.count_effects())["j"] == {"discarded": 1200}


@pytest.mark.parametrize("decision", ["closed", "discarded"])
async def test_effects_held_by_stage_are_due_after_decision(
    store: ProvisioningStore, decision: str
):
    await staged(store, "a")
    later = NOON + timedelta(hours=5)
    waits = disable(
        "b", state="escrowed", reason=f"{HELD_BY_STAGE}x", next_try=later, attempts=9
    )
    other = disable("c", state="escrowed", reason="conflict: x", next_try=later)
    await store.save_effects("j", "c1", [waits, other])
    assert await store.list_due_effects("j", NOON, after="", limit=9) == []

    if decision == "discarded":
        await store.discard_stage(a_stage(), NOON)
    else:
        await store.remove_effects("j", ["a"])
        await store.close_stages("j", NOON)

    (due,) = await store.list_due_effects("j", NOON, after="", limit=9)
    assert (due.key, due.attempts) == ("b", 0)


async def test_allowance_ends(store: ProvisioningStore):
    until = NOON + timedelta(hours=2)
    word = Allowance(stage=DIGEST, job="", operator="Ann", until=until)
    await store.save_allowance(word)
    assert await store.list_allowances(NOON) == [word]
    assert await store.list_allowances(until) == []


async def test_budget_is_summed_over_its_window(store: ProvisioningStore):
    for hours in range(4):
        spent = BudgetCharge(
            guard="disables", effects=10, time=NOON + timedelta(hours=hours)
        )
        other = msgspec.structs.replace(spent, guard="deletes")
        await store.save_outcomes(
            "j", "t", "c", outcomes=[], log=[], charges=[spent, other]
        )
    assert await store.sum_budget_charges("j", "disables", NOON) == 40
    assert (
        await store.sum_budget_charges("j", "disables", NOON + timedelta(minutes=90))
        == 20
    )
    assert await store.sum_budget_charges("k", "disables", NOON) == 0
    assert await store.sum_budget_charges("j", "deletes", NOON) == 40


async def test_unlinked_object_loses_all_its_data(store: ProvisioningStore):
    row = InScope(
        id="a", type="user", dn="CN=a", parent=None, anchor="a", attributes={}
    )
    await store.save_page("j", 1, [row], None)
    added = Outcome(effect=disable("g"), state="done", link=link("a"), added=("a", "b"))
    await store.save_outcomes("j", "t", "c1", outcomes=[added], log=[])
    await store.save_page("j", 2, [OutOfScope(id="a")], None)
    jobs = JobKey(job="j", siblings=(), target="t")
    changes = await store.list_membership_changes(jobs, "c2", ("user",), ("", ""), 9)
    assert changes == [("g", "a", False)]
    assert [
        row.presence for row in await store.list_source_objects("j", "t", "", 9)
    ] == ["out"]
    assert await store.load_presences(["j"], ["a"]) == {"a": "out"}

    gone = Outcome(effect=disable("a"), state="done", link=link("a"), unlinked=True)
    await store.save_outcomes("j", "t", "c2", outcomes=[gone], log=[])

    assert await store.load_links("t", ["a"]) == {}
    assert await store.load_source_object("j", "a") is None
    changes = await store.list_membership_changes(jobs, "c3", ("user",), ("", ""), 9)
    assert changes == []


async def test_object_with_staged_disable_keeps_memberships(store: ProvisioningStore):
    row = InScope(
        id="a", type="user", dn="CN=a", parent=None, anchor="a", attributes={}
    )
    await store.save_page("j", 1, [row], None)
    added = Outcome(effect=disable("g"), state="done", link=link("a"), added=("a",))
    await store.save_outcomes("j", "t", "c1", outcomes=[added], log=[])
    await store.save_page("j", 2, [OutOfScope(id="a")], None)
    jobs = JobKey(job="j", siblings=("k",), target="t")
    arguments = ("c2", ("user",), ("", ""), 9)

    await store.save_effects("k", "c9", [disable("a", state="staged")])
    assert await store.list_membership_changes(jobs, *arguments) == []
    await store.remove_effects("k", ["a"])
    await store.save_effects("j", "c1", [disable("a", state="staged")])
    assert await store.list_membership_changes(jobs, *arguments) == [("g", "a", False)]
    await store.save_effects("j", "c2", [disable("a", state="escrowed")])
    assert await store.list_membership_changes(jobs, *arguments) == []
    await store.save_effects("j", "c2", [disable("a")])
    assert await store.list_membership_changes(jobs, *arguments) == [("g", "a", False)]
    await store.save_page("k", 1, [row], None)
    assert await store.list_membership_changes(jobs, *arguments) == []


async def test_retry_makes_given_up_effects_due(store: ProvisioningStore):
    held = disable(
        "a", state="escrowed", since=NOON, attempts=40, reason="given-up: no"
    )
    await store.save_effects("j", "c1", [held, disable("b")])

    later = NOON + timedelta(days=40)
    assert await store.retry_escrowed("j", "nobody", later) == 0
    assert await store.retry_escrowed("j", None, later) == 1

    ((effect, _),) = await store.list_escrowed_effects("j", after="", limit=9)
    # Earlier attempts are forgotten: the 28 days start over.
    assert (effect.next_try, effect.since, effect.attempts) == (later, None, 0)
