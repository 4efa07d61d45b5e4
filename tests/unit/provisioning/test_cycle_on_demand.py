"""Provision on demand: one object by the rules of a cycle, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.world import JOB, MANAGER, World, guid, with_rule

from cloudforest.base.errors import Busy, Unavailable
from cloudforest.model.effects import Change
from cloudforest.model.messages import Closing, Lookup, OutOfScope, Tombstone
from cloudforest.model.program import Attribute
from cloudforest.model.registration import Budget
from cloudforest.provisioning.cycle import provision_on_demand
from cloudforest.provisioning.explanation.steps import NOTHING_TO_WRITE


async def _provision(world: World, id_: str) -> dict[str, Any]:
    told = await provision_on_demand(
        world.run(), Lookup(by="guid", value=id_), world.turns
    )
    assert told["object"] == id_
    return {each["step"]: each for each in told["steps"]}


async def test_only_the_requested_person_is_created(world: World):
    person = world.person(1, title="Clerk")
    world.person(2)

    steps = await _provision(world, person)

    assert steps["act"]["result"] == "create"
    (answer,) = steps["act"]["detail"]["answers"]
    assert (answer["status"], answer["httpStatus"]) == ("success", 201)
    assert set(world.of("User")) == {person}
    (entry,) = await world.log()
    assert entry.cycle not in (await world.store.load_last_cycles()).values()
    assert entry.changes

    cycle = await world.cycle()

    assert (cycle.counts.create, cycle.counts.adopt) == (1, 0)
    assert len(world.of("User")) == 2


async def test_second_provisioning_writes_nothing(world: World):
    person = world.person(1)
    await world.cycle()
    writes = list(world.target.writes)

    steps = await _provision(world, person)

    assert steps["act"]["result"] == "nothing"
    assert steps["act"]["detail"]["because"] == NOTHING_TO_WRITE
    assert world.target.writes == writes


async def test_change_and_reference_are_written(world: World):
    boss, person = world.person(1), world.person(2)
    await world.cycle()
    world.person(2, title="Head", manager=boss)

    steps = await _provision(world, person)

    assert steps["act"]["result"] == "update"
    changes = [c for a in steps["act"]["detail"]["answers"] for c in a["changes"]]
    assert {each["path"] for each in changes} == {"title", MANAGER}
    held = world.of("User")[person]
    assert held["title"] == "Head"
    world.delta = []
    assert (await world.cycle()).requests == 0


async def test_group_gets_all_its_members(world: World):
    people = [world.person(n) for n in range(1, 8)]
    group = world.group(20, *people[:5])
    other = world.group(21, people[0])
    await world.cycle()
    world.members[group] = set(people[2:])
    world.members[other] = set()

    await _provision(world, group)

    assert world.members_of(group) == set(people[2:])
    assert world.members_of(other) == {people[0]}


async def test_deleted_person_is_disabled_and_removed_from_groups(world: World):
    person = world.person(1)
    group = world.group(20, person, world.person(2))
    await world.cycle()
    world.answers[person] = Tombstone(id=person)

    steps = await _provision(world, person)

    assert steps["act"]["result"] == "disable"
    assert world.of("User")[person]["active"] is False
    assert person not in world.members_of(group)


async def test_guard_counts_provisioning_on_demand(world: World):
    people = [world.person(n) for n in range(1, 4)]
    await world.cycle()
    world.guard = {"disables": Budget(max=1, percent=100, base=50, window=3600)}
    for each in people:
        world.answers[each] = OutOfScope(id=each, clause="organizationalUnits")

    first = await _provision(world, people[0])
    second = await _provision(world, people[1])

    assert (first["act"]["result"], second["act"]["result"]) == ("disable", "staged")
    assert world.of("User")[people[0]]["active"] is False
    assert world.of("User")[people[1]]["active"] is True
    staged = await world.log(status="staged")
    assert [each.object for each in staged] == [people[1]]


async def test_effects_of_other_objects_stay_unchanged(world: World):
    world.program = with_rule("active", Attribute(name="title"))
    stuck = world.person(1, title="maybe")
    person = world.person(2, title="True")
    await world.cycle()
    before = await world.store.load_effects(JOB, [stuck])
    assert before[stuck].state == "escrowed"
    world.person(2, title="True", displayname="Another")

    await _provision(world, person)

    assert await world.store.load_effects(JOB, [stuck]) == before
    assert world.of("User")[person]["displayName"] == "Another"


async def test_refused_write_is_escrowed(world: World):
    world.person(1)
    await world.cycle()
    twin = world.person(2, userprincipalname="p1@contoso.com")

    steps = await _provision(world, twin)

    assert steps["act"]["result"] == "escrow"
    (entry,) = await world.log(status="failure")
    assert entry.object == twin


async def test_unknown_object_stays_unchanged(world: World):
    person = world.person(1)
    await world.cycle()
    del world.objects[person]

    steps = await _provision(world, person)

    assert steps["import"]["result"] == "unknown"
    row = await world.store.load_source_object(JOB, person)
    assert row is not None
    assert row.presence == "in"
    assert world.of("User")[person]["active"] is True


async def test_running_job_is_busy(world: World):
    person = world.person(1)
    with world.turns.hold_job(JOB), pytest.raises(Busy, match="already running"):
        await _provision(world, person)


async def test_answer_of_another_domain_is_refused(world: World):
    person = world.person(1)
    await world.cycle()
    world.closing = Closing(complete=True, directory="another")
    world.answers[person] = Tombstone(id=person)

    with pytest.raises(Unavailable, match="different domains"):
        await _provision(world, person)

    assert world.of("User")[person]["active"] is True


async def test_membership_stays_while_the_members_own_effect_is_staged(world: World):
    people = [world.person(n) for n in range(1, 4)]
    group = world.group(20, *people)
    await world.cycle()
    world.guard = {"disables": Budget(max=1, percent=100, base=50, window=3600)}
    world.answers = {
        each: OutOfScope(id=each, clause="organizationalUnits") for each in people[:2]
    }
    world.delta = list(world.answers.values())
    cycle = await world.cycle()
    assert cycle.counts.staged == 2

    await _provision(world, group)

    assert world.members_of(group) == set(people)


async def test_object_is_found_by_its_name(world: World):
    person = world.person(1)

    named = Lookup(by="attribute", value="p1@contoso.com")
    told = await provision_on_demand(world.run(), named, world.turns)

    assert told["object"] == person
    (entry,) = await world.log()
    assert Change(path="userName", before=None, after="p1@contoso.com") in entry.changes
    assert guid(1) == person


async def test_incomplete_answer_removes_no_member(world: World):
    one, two = world.person(1), world.person(2)
    group = world.group(20, one, two)
    await world.cycle()
    world.members[group] = {one}
    world.reading = Closing(complete=False, directory="d")

    await _provision(world, group)

    assert world.members_of(group) == {one, two}
    world.reading = Closing(complete=True, directory="d")
    await _provision(world, group)
    assert world.members_of(group) == {one}
