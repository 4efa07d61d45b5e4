"""A restart: what it resets, what it keeps, and that nobody loses access."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

import pytest
from msgspec.structs import replace
from tests.support.memory_target import MemoryResource
from tests.support.world import JOB, MANAGER, World, guid, program, rule

from cloudforest.model.effects import Change
from cloudforest.model.jobs import JobState, ResetScope
from cloudforest.model.source import Link, TargetResource
from cloudforest.provisioning.differences import compare_with_observed
from cloudforest.provisioning.mapper import build_mappers

TARGET = "cloud"
FULL = get_args(ResetScope)


async def restart(world: World, *scopes: ResetScope) -> None:
    await world.store.restart_job(
        JOB,
        TARGET,
        resets=scopes,
        change=lambda state: replace(state, failures=0),
        now=world.clock(),
    )


async def links(world: World) -> dict[str, Link]:
    return await world.store.load_links(TARGET, list(world.objects))


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
    world.clock.now = world.clock.now.replace(minute=10)
    await world.cycle()
    world.target.writes.clear()
    return world


async def test_full_restart_without_changes_writes_nothing(
    synced: World,
) -> None:
    before = await links(synced)
    await restart(synced, *FULL)

    cycle = await synced.cycle()

    assert (cycle.kind, cycle.state) == ("initial", "succeeded")
    assert synced.target.writes == []
    assert await links(synced) == before
    assert {each.origin for each in before.values()} == {"created", "adopted"}
    after = await synced.cycle()
    assert after.requests == 0


async def test_full_restart_repairs_changes_made_in_the_target(
    synced: World,
) -> None:
    target = synced.target
    person = target.resources_by_id[synced.id_of(guid(2))]
    boss = person.values[MANAGER]
    person.values |= {"displayName": "Somebody", "title": "King", MANAGER: "r999"}
    target.resources_by_id[synced.id_of(guid(9))].members = {
        synced.id_of(guid(1)),
        "stranger",
    }
    synced.target.resources_by_id["stranger"] = MemoryResource(
        "User", {"externalId": "stranger"}
    )
    synced.objects[guid(2)].attributes.pop("title")

    await synced.cycle()
    assert target.writes == []
    await restart(synced, *FULL)
    cycle = await synced.cycle()

    assert cycle.state == "succeeded"
    assert person.values["displayName"] == "Person 2"
    assert "title" not in person.values
    assert person.values[MANAGER] == boss
    assert synced.members_of(guid(9)) == {guid(1), guid(2), "stranger"}


def test_only_the_written_part_of_an_address_is_removed() -> None:
    """The other part is mapped, but the source never had a value for it."""
    city, street = (
        f'addresses[type eq "work"].{name}' for name in ("locality", "streetAddress")
    )
    world = program()
    users = replace(world.mappings[0], rules=(rule(city, "l"), rule(street, "street")))
    mapper = build_mappers(replace(world, mappings=(users,)))["user"]
    found = TargetResource(id="r1", values={city: "Berlin", street: "A 1"})
    changes = compare_with_observed(mapper, {}, found, written_paths=[street])
    assert changes == (Change(path=street, before="A 1"),)
    both = compare_with_observed(mapper, {}, found, written_paths=[city, street])
    assert {each.how for each in both} == {"last"}


async def test_lost_resource_is_created_again_with_its_memberships(
    synced: World,
) -> None:
    del synced.target.resources_by_id[synced.id_of(guid(9))]
    await restart(synced, *FULL)
    cycle = await synced.cycle()

    assert cycle.counts.create == 1
    assert synced.members_of(guid(9)) == {guid(1), guid(2)}
    assert (await links(synced))[guid(9)].origin == "created"
    assert (await synced.cycle()).requests == 0


async def test_resource_missing_from_lists_is_not_created_twice(
    synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some services do not list inactive users."""
    whole = synced.target.list_resources
    hidden = synced.id_of(guid(2))

    async def listed(resource_type: str, paths: Any) -> Any:
        async for each in whole(resource_type, paths):
            if each.id != hidden:
                yield each

    monkeypatch.setattr(synced.target, "list_resources", listed)
    before = await links(synced)
    await restart(synced, *FULL)
    await synced.cycle()

    assert synced.target.writes == []
    assert await links(synced) == before


async def test_renamed_resource_is_found_by_its_id(synced: World) -> None:
    held = synced.target.resources_by_id[synced.id_of(guid(2))]
    held.values |= {"externalId": "x", "userName": "x@contoso.com"}
    await restart(synced, *FULL)
    cycle = await synced.cycle()

    assert cycle.counts.create == 0
    assert held.values["externalId"] == guid(2)


async def test_member_that_left_before_the_restart_is_removed(synced: World) -> None:
    await restart(synced, *FULL)
    synced.members[guid(9)].remove(guid(2))
    await synced.cycle()

    assert synced.members_of(guid(9)) == {guid(1)}


async def test_object_missing_from_the_full_import_is_not_deprovisioned(
    synced: World,
) -> None:
    before = dict(synced.target.resources_by_id)
    await restart(synced, *FULL)
    del synced.objects[guid(2)]
    await synced.cycle()

    assert synced.target.resources_by_id == before
    assert synced.target.resources_by_id[synced.id_of(guid(2))].values["active"] is True


@pytest.mark.parametrize(
    ("scopes", "kind", "state"),
    [
        (("Watermark",), "initial", "failed"),
        (("Escrows", "QuarantineState"), "incremental", "failed"),
        (FULL, "initial", "succeeded"),
    ],
)
async def test_only_a_full_restart_resets_the_scope_bindings(
    world: World, scopes: Collection[ResetScope], kind: str, state: str
) -> None:
    world.person(1)
    scope = replace(world.program.scope, organizational_units=("OU=People",))
    world.program = replace(world.program, scope=scope)
    world.closing = replace(world.closing, bindings={"OU=People": guid(70)})
    await world.cycle()
    world.closing = replace(world.closing, bindings={"OU=People": guid(71)})
    await restart(world, *scopes)

    cycle = await world.cycle()

    assert (cycle.kind, cycle.state) == (kind, state)


async def test_restart_makes_escrowed_effects_due_and_resets_their_tries(
    world: World,
) -> None:
    world.person(1, userprincipalname="taken@contoso.com")
    world.person(2, userprincipalname="taken@contoso.com")
    cycle = await world.cycle()
    assert cycle.counts.escrow == 1
    [(held, dn)] = await world.store.list_escrowed_effects(JOB, after="", limit=10)
    assert held.attempts == 1
    assert dn is not None

    assert await world.store.retry_escrowed(JOB, guid(99), world.clock()) == 0
    assert await world.store.retry_escrowed(JOB, held.id, world.clock()) == 1

    [(due, _)] = await world.store.list_escrowed_effects(JOB, after="", limit=10)
    assert (due.attempts, due.next_try) == (0, world.clock())
    assert due.reason == held.reason
    assert due.sent == held.sent
    world.objects[held.id].attributes["userprincipalname"] = ("free@contoso.com",)
    await restart(world, "Escrows", "Watermark")
    assert (await world.cycle()).counts.escrow == 0


async def test_restart_keeps_the_pause(world: World) -> None:
    await world.store.change_job_state(JOB, lambda state: replace(state, failures=3))
    await restart(world, "QuarantineState")

    assert await world.store.load_job_states() == {JOB: JobState()}
