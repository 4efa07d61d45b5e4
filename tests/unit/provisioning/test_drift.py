"""Drift: changes made in the target are found and repaired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.memory_target import MemoryResource
from tests.support.world import JOB, MANAGER, World, guid, program, rule

from cloudforest.model.messages import OutOfScope, Tombstone
from cloudforest.model.registration import Budget
from cloudforest.provisioning.drift import (
    Drift,
    DriftFinding,
    accept_observed,
    redact_drift,
    save_drifted,
    scan_drift,
)

PICTURE = "drift:1"


@pytest.fixture
async def synced(world: World) -> World:
    """Return a synced world: people with a manager, a group, one of them adopted."""
    world.target.resources_by_id["adopted"] = MemoryResource(
        "User", {"userName": "p3@contoso.com"}
    )
    boss = world.person(1)
    world.person(2, manager=boss, title="Clerk")
    world.person(3)
    world.group(9, guid(1), guid(2))
    await world.cycle()
    world.target.writes.clear()
    return world


async def look(world: World) -> list[DriftFinding]:
    return [one async for _, found in scan_drift(world.run()) for one in found]


async def repair(world: World) -> None:
    await accept_observed(world.run(), await look(world))


def told(drifted: Sequence[DriftFinding]) -> list[tuple[str, str]]:
    return [(each.drift.object, each.drift.kind) for each in drifted]


def causes(drift: Drift) -> dict[str, tuple[Any, Any, Any, str]]:
    return {
        each.path: (each.desired, each.written, each.actual, each.cause)
        for each in drift.attributes
    }


async def test_unchanged_target_has_no_drift(synced: World) -> None:
    seen = [each async for each in scan_drift(synced.run())]

    [(checked, findings)] = seen
    assert checked == 4
    assert told(findings) == []
    assert synced.target.writes == []


async def test_drifted_attribute_shows_desired_written_and_actual_values(
    synced: World,
) -> None:
    boss = synced.id_of(guid(1))
    held = synced.target.resources_by_id[synced.id_of(guid(2))].values
    held |= {"displayName": "Somebody", MANAGER: "r999"}
    del held["title"]

    (one,) = await look(synced)

    assert one.drift.name == "CN=P2,DC=contoso,DC=com"
    assert causes(one.drift) == {
        "displayName": ("Person 2", "Person 2", "Somebody", "changed outside"),
        "title": ("Clerk", "Clerk", None, "never arrived"),
        MANAGER: (boss, boss, "r999", "changed outside"),
    }


async def test_pending_changes_and_foreign_values_are_not_drift(
    synced: World,
) -> None:
    """Neither a pending write nor a value that we never wrote is drift."""
    held = synced.target.resources_by_id
    held[synced.id_of(guid(3))].values["title"] = "theirs"
    held[synced.id_of(guid(9))].members.add("stranger")
    synced.objects[guid(2)].attributes["title"] = ("Head",)
    synced.delta = [synced.objects[guid(2)]]
    generation = await synced.store.begin_import(JOB)
    await synced.store.save_page(JOB, generation, synced.delta, None)

    assert told(await look(synced)) == []


async def test_repair_writes_only_drifted_values(
    synced: World,
) -> None:
    target = synced.target
    person = target.resources_by_id[synced.id_of(guid(2))]
    before = dict(person.values)
    person.values |= {"displayName": "Somebody", MANAGER: "r999", "nickName": "Bo"}
    group = target.resources_by_id[synced.id_of(guid(9))]
    group.members = {synced.id_of(guid(1)), "stranger"}
    target.resources_by_id["stranger"] = MemoryResource(
        "User", {"externalId": "stranger"}
    )

    drifted = await look(synced)
    assert told(drifted) == [(guid(2), "attributes"), (guid(9), "members")]
    assert drifted[1].drift.attributes[0].desired == (guid(2),)
    await save_drifted(synced.run(), PICTURE, drifted)
    await accept_observed(synced.run(), drifted)
    assert target.writes == []
    cycle = await synced.cycle()

    assert person.values == before | {"nickName": "Bo"}
    assert synced.members_of(guid(9)) == {guid(1), guid(2), "stranger"}
    assert (cycle.counts.update, cycle.counts.member_add) == (1, 1)
    assert await synced.store.count_written(cycle.id, PICTURE) == 2
    (entry, *_) = await synced.log(cycle=cycle.id, object=guid(2))
    assert [(each.before, each.after) for each in entry.changes] == [
        ("Somebody", "Person 2")
    ]
    assert told(await look(synced)) == []
    assert (await synced.cycle()).requests == 0


async def test_missing_person_is_created_again_with_manager_and_memberships(
    synced: World,
) -> None:
    target = synced.target
    lost = synced.id_of(guid(1))
    del target.resources_by_id[lost]
    target.resources_by_id[synced.id_of(guid(9))].members.discard(lost)
    del target.resources_by_id[synced.id_of(guid(2))].values[MANAGER]

    drifted = await look(synced)
    assert told(drifted) == [
        (guid(1), "missing"),
        (guid(2), "attributes"),
        (guid(9), "members"),
    ]
    await accept_observed(synced.run(), drifted)
    cycle = await synced.cycle()

    assert (cycle.state, cycle.counts.create) == ("succeeded", 1)
    made = synced.id_of(guid(1))
    assert made != lost
    assert target.resources_by_id[synced.id_of(guid(2))].values[MANAGER] == made
    assert synced.members_of(guid(9)) == {guid(1), guid(2)}
    assert told(await look(synced)) == []
    assert (await synced.cycle()).requests == 0


async def test_missing_group_is_created_again_with_its_members(synced: World) -> None:
    del synced.target.resources_by_id[synced.id_of(guid(9))]
    await repair(synced)
    await synced.cycle()

    assert synced.members_of(guid(9)) == {guid(1), guid(2)}
    assert told(await look(synced)) == []


async def test_resource_missing_from_lists_is_not_drift(
    synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = synced.target.list_resources
    hidden = synced.id_of(guid(2))
    synced.target.resources_by_id[hidden].values["title"] = "King"

    async def listed(resource_type: str, paths: Any) -> Any:
        async for each in whole(resource_type, paths):
            if each.id != hidden:
                yield each

    monkeypatch.setattr(synced.target, "list_resources", listed)

    assert told(await look(synced)) == [(guid(2), "attributes")]


@pytest.mark.parametrize("kind", [Tombstone, OutOfScope])
async def test_access_restored_outside_is_removed_again(
    synced: World, kind: Any
) -> None:
    """This also holds if no mapping writes `active`."""
    users, groups = program().mappings
    rules = tuple(each for each in users.rules if each.target != "active")
    mappings = (replace(users, rules=rules), groups)
    synced.program = replace(synced.program, mappings=mappings)
    clause = {"clause": "groups"} if kind is OutOfScope else {}
    synced.delta = [kind(id=guid(2), **clause)]
    synced.answers[guid(2)] = synced.delta[0]
    await synced.cycle()
    person = synced.target.resources_by_id[synced.id_of(guid(2))]
    assert person.values["active"] is False
    synced.delta = []
    assert told(await look(synced)) == []
    person.values["active"] = True

    (one,) = drifted = await look(synced)
    assert causes(one.drift) == {"active": (False, False, True, "changed outside")}
    await accept_observed(synced.run(), drifted)
    cycle = await synced.cycle()

    assert (cycle.state, cycle.counts.disable) == ("succeeded", 1)
    assert person.values["active"] is False
    assert told(await look(synced)) == []


async def test_missing_resource_of_a_leaver_is_not_drift(synced: World) -> None:
    synced.delta = [Tombstone(id=guid(2))]
    synced.answers[guid(2)] = synced.delta[0]
    await synced.cycle()
    del synced.target.resources_by_id[synced.id_of(guid(2))]

    assert told(await look(synced)) == []


async def test_guard_counts_repairs(synced: World) -> None:
    """Two people are missing; the guard allows one creation."""
    one = Budget(max=1, percent=100, base=50, window=86400)
    synced.guard = {"creates": one}
    for each in (1, 2):
        del synced.target.resources_by_id[synced.id_of(guid(each))]
    drifted = await look(synced)
    await save_drifted(synced.run(), PICTURE, drifted)
    await accept_observed(synced.run(), drifted)
    synced.delta = []

    cycle = await synced.cycle()

    assert (cycle.state, cycle.counts.staged) == ("blocked", 2)
    assert await synced.store.count_written(cycle.id, PICTURE) == 0


async def test_sensitive_values_are_redacted_and_passwords_not_compared(
    world: World,
) -> None:
    users, *others = world.program.mappings
    secret = rule("nickName", "info", sensitive=True)
    password = rule("password", "info")
    rules = (*users.rules, secret, password)
    mappings = (replace(users, rules=rules), *others)
    world.program = replace(world.program, mappings=mappings)
    world.person(1, info="canary")
    await world.cycle()
    held = world.target.resources_by_id[world.id_of(guid(1))].values
    held["nickName"] = "shown"
    del held["password"]

    (one,) = await look(world)

    mark = "[redacted]"
    assert causes(one.drift) == {"nickName": (mark, mark, mark, "changed outside")}


async def test_redacted_drift_has_ids_but_no_values(synced: World) -> None:
    held = synced.target.resources_by_id[synced.id_of(guid(2))]
    held.values["displayName"] = "Somebody"
    (one,) = await look(synced)

    bare = redact_drift(one.drift)

    assert (bare.object, bare.name) == (guid(2), None)
    assert causes(bare) == {"displayName": (None, None, None, "changed outside")}


async def test_number_of_requests_does_not_grow_with_the_people(synced: World) -> None:
    synced.delta = [synced.objects[synced.person(each)] for each in range(20, 60)]
    await synced.cycle()
    before = synced.target.requests

    await look(synced)

    assert synced.target.requests - before == 3  # two lists, one group's members
