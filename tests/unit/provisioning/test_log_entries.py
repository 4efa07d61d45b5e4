"""The log has the values before and after, except sensitive ones."""

from __future__ import annotations

import msgspec
from tests.support.world import MANAGER, World, program, with_rule

from cloudforest.model.effects import Change
from cloudforest.model.program import Attribute, JobProgram
from cloudforest.provisioning.log_entries import (
    MAX_ITEMS,
    MAX_TEXT_LENGTH,
    REDACTED,
    redact_changes,
)


def _sensitive(*targets: str) -> JobProgram:
    whole = program()
    users = whole.mappings[0]
    rules = tuple(
        msgspec.structs.replace(each, sensitive=each.target in targets)
        for each in users.rules
    )
    users = msgspec.structs.replace(users, rules=rules)
    return msgspec.structs.replace(whole, mappings=(users, *whole.mappings[1:]))


async def test_creation_is_logged_with_its_values(world: World):
    person = world.person(1, title="Clerk")

    cycle = await world.cycle()

    (entry,) = await world.log(object="P1@contoso.com")
    assert (entry.action, entry.status, entry.type) == ("create", "success", "user")
    assert (entry.object, entry.cycle) == (person, cycle.id)
    assert entry.resource == world.id_of(person)
    assert Change(path="title", before=None, after="Clerk") in entry.changes


async def test_sensitive_value_is_logged_as_a_mark(world: World):
    world.program = _sensitive("title", "userName")
    person = world.person(1, title="canary")
    await world.cycle()
    world.person(1)
    world.delta = [world.objects[person]]

    await world.cycle()

    created, updated = await world.log()
    assert Change(path="title", before=None, after=REDACTED) in created.changes
    assert updated.changes == (Change(path="title", before=REDACTED, after=None),)
    assert created.name == "Person 1"
    assert world.of("User")[person]["userName"] == "p1@contoso.com"
    whole = msgspec.json.encode([created, updated])
    assert b"canary" not in whole
    assert b"p1@contoso.com" not in whole


async def test_failed_changes_are_logged_without_sensitive_values(world: World):
    world.program = _sensitive("title")
    world.person(1, title="canary")
    world.person(2, userprincipalname="p1@contoso.com", title="canary")

    await world.cycle()

    (failed,) = await world.log(status="failure")
    assert Change(path="title", before=None, after=REDACTED) in failed.changes
    assert b"canary" not in msgspec.json.encode(await world.log())


async def test_references_are_logged_as_resource_ids_and_members_as_counts(
    world: World,
):
    boss, other = world.person(1), world.person(2)
    group = world.group(20, boss, other)
    world.person(2, manager=boss)

    await world.cycle()

    changes = [
        each for entry in await world.log(object=other) for each in entry.changes
    ]
    assert Change(path=MANAGER, before=None, after=world.id_of(boss)) in changes
    (entry,) = await world.log(action="members")
    assert entry.object == group
    assert entry.members is not None
    assert (entry.members.added, entry.members.removed) == (2, 0)
    assert set(entry.members.add) == {boss, other}


async def test_mapping_fault_is_logged_with_its_cycle(
    world: World,
):
    world.program = with_rule("active", Attribute(name="title"))
    person = world.person(1, title="canary")

    cycle = await world.cycle()

    (entry,) = await world.log(object=person)
    assert (entry.status, entry.cycle) == ("failure", cycle.id)
    assert "canary" not in (entry.reason or "")


def test_photos_and_long_lists_are_cut():
    photo = "x" * (MAX_TEXT_LENGTH + 1)
    many = ["y"] * (MAX_ITEMS + 1)
    change = Change(path="photos", before=photo, after=[*many, photo])

    (cut,) = redact_changes([change], frozenset())

    assert cut.before == f"{photo[:-1]}… ({len(photo)} characters)"
    assert cut.after == [*many[:-1], f"… ({len(many) + 1} values)"]
