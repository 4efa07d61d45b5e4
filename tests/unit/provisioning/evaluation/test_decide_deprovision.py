"""Objects out of scope or gone lose their access and their memberships."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.support.leavers import DELETING, come, deprovisioning, leave
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import JOB, MANAGER, World, guid, program

from cloudforest.model.messages import Unknown
from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Budget

NONE = Budget(max=0, percent=100, base=50, window=86400)


async def _assert_settled(world: World) -> None:
    """Assert that the next cycle has nothing to write."""
    world.delta = []
    cycle = await world.cycle()
    assert (cycle.state, cycle.requests) == ("succeeded", 0)


@pytest.mark.parametrize("gone", [False, True])
async def test_leaver_is_disabled_once_and_loses_memberships(
    world: World,
    gone: bool,  # noqa: FBT001 - a parameter
):
    person, other = world.person(1), world.person(2)
    group = world.group(20, person, other)
    await world.cycle()
    leave(world, person, gone=gone)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.disable, cycle.counts.member_remove) == (
        "succeeded",
        1,
        1,
    )
    assert cycle.counts.in_scope == 2
    assert world.of("User")[person]["active"] is False
    assert world.members_of(group) == {other}
    logged = await world.log(object=person)
    assert [each.action for each in logged] == ["create", "disable"]
    assert str(logged[-1].reason).startswith("deleted" if gone else "out-of-scope")
    await _assert_settled(world)


async def test_returning_user_is_enabled_with_values_and_memberships(
    world: World,
):
    person = world.person(1)
    group = world.group(20, person, world.person(2))
    await world.cycle()
    leave(world, person)
    await world.cycle()
    world.person(1, title="Head")
    come(world, world.objects[person])

    cycle = await world.cycle()

    assert (cycle.counts.enable, cycle.counts.member_add) == (1, 1)
    assert world.of("User")[person]["active"] is True
    assert world.of("User")[person]["title"] == "Head"
    assert person in world.members_of(group)
    await _assert_settled(world)


@pytest.mark.parametrize("mode", ["disable", "delete"])
@pytest.mark.parametrize("binned", [True, False])
async def test_restored_user_gets_current_memberships(
    world: World, mode: str, *, binned: bool
):
    """A tombstone has lost its memberships; the groups appear in no delta."""
    world.program = deprovisioning(outOfScope=mode, deleted=mode)
    person, other = world.person(1), world.person(2)
    group = world.group(20, person, other)
    await world.cycle()
    leave(world, person, gone=True)
    await world.cycle()
    assert world.members_of(group) == {other}
    world.person(1)
    world.members[group] = {person, other} if binned else {other}
    come(world, world.objects[person])

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.member_add) == ("succeeded", int(binned))
    assert world.members_of(group) == world.members[group]
    await _assert_settled(world)


async def test_unknown_object_stays_unchanged(world: World):
    person = world.person(1)
    group = world.group(20, person)
    await world.cycle()
    del world.objects[person]
    come(world, Unknown(id=person))

    cycle = await world.cycle()

    assert (cycle.counts.disable, cycle.requests) == (0, 0)
    assert world.of("User")[person]["active"] is True
    assert world.members_of(group) == {person}


async def test_keep_leaves_the_user_unchanged(world: World):
    world.program = deprovisioning(outOfScope="keep", deleted="disable")
    one, two = world.person(1), world.person(2)
    await world.cycle()
    leave(world, one)
    assert (await world.cycle()).requests == 0
    leave(world, two, gone=True)
    assert (await world.cycle()).counts.disable == 1


class Strict(MemoryTarget):
    """A target that refuses to delete members of a group."""

    async def delete(self, resource_type: str, resource: str) -> None:
        if any(resource in each.members for each in self.resources_by_id.values()):
            self.requests += 1
            raise Refusal(400, "It is a member of a group.")
        await super().delete(resource_type, resource)


async def test_deleted_object_leaves_its_groups_first(world: World):
    world.program, world.target = DELETING, Strict()
    person = world.person(1)
    group = world.group(20, person, world.person(2))
    outer = world.group(21, group)
    await world.cycle()
    leave(world, person, group, gone=True)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.delete) == ("succeeded", 2)
    assert person not in world.of("User")
    assert group not in world.of("Group")
    assert world.members_of(outer) == set()
    assert await world.store.load_links("cloud", [person, group]) == {}
    assert await world.store.load_source_object(JOB, person) is None
    await _assert_settled(world)


async def test_returning_user_is_created_again_after_deletion(world: World):
    world.program = DELETING
    person = world.person(1)
    group = world.group(20, person)
    await world.cycle()
    leave(world, person)
    await world.cycle()
    assert world.members_of(group) == set()
    world.person(1)
    come(world, world.objects[person])

    cycle = await world.cycle()

    assert (cycle.counts.create, cycle.counts.member_add) == (1, 1)
    assert world.members_of(group) == {person}


async def test_adopted_resource_is_disabled_but_never_deleted(world: World):
    world.program = DELETING
    person = world.person(1)
    group = world.group(20, cn="Team")
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "p1@contoso.com"}
    )
    world.target.resources_by_id["y"] = MemoryResource("Group", {"displayName": "Team"})
    assert (await world.cycle()).counts.adopt == 2
    leave(world, person, group, gone=True)

    cycle = await world.cycle()

    assert (cycle.counts.disable, cycle.counts.delete, cycle.counts.skipped) == (
        1,
        0,
        1,
    )
    assert world.target.resources_by_id["x"].values["active"] is False
    assert "y" in world.target.resources_by_id
    await _assert_settled(world)
    logged = [(each.action, each.status) for each in await world.log(object=group)]
    assert logged == [("adopt", "success"), ("delete", "skipped")]


async def test_missing_resource_counts_as_deprovisioned(world: World):
    one, two = world.person(1), world.person(2)
    await world.cycle()
    del world.target.resources_by_id[world.id_of(one)]
    leave(world, one)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.escrow) == ("succeeded", 0)
    assert set(await world.store.load_links("cloud", [one, two])) == {two}


async def test_type_no_longer_mapped_is_left_in_place(world: World):
    world.program = DELETING
    group = world.group(20, world.person(1))
    await world.cycle()
    world.program = msgspec.structs.replace(DELETING, mappings=DELETING.mappings[:1])
    leave(world, group, gone=True)

    cycle = await world.cycle()

    assert (cycle.state, cycle.requests) == ("succeeded", 0)
    assert group in world.of("Group")


async def test_staged_disable_keeps_memberships(world: World):
    people = [world.person(number) for number in range(1, 4)]
    group = world.group(20, *people)
    await world.cycle()
    world.guard = {"disables": NONE}
    leave(world, *people[:2])

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.staged, cycle.counts.member_remove) == (
        "blocked",
        2,
        0,
    )
    assert world.members_of(group) == set(people)


class Unwilling(MemoryTarget):
    """A target that refuses to disable users."""

    async def modify(self, resource_type, resource, changes):
        if any(each.path == "active" for each in changes):
            self.requests += 1
            raise Refusal(403, "The user is protected.")
        await super().modify(resource_type, resource, changes)


async def test_refused_disable_keeps_memberships(world: World):
    world.target = Unwilling()
    person = world.person(1)
    group = world.group(20, person, world.person(2))
    await world.cycle()
    leave(world, person)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.escrow, cycle.counts.member_remove) == (
        "partial",
        1,
        0,
    )
    assert person in world.members_of(group)
    world.delta = []
    soon = await world.cycle()
    assert (soon.counts.escrow, soon.requests) == (1, 0)
    world.clock.now += timedelta(days=29)
    await world.cycle()
    (held,) = await world.escrowed()
    assert str(held.reason).startswith("given-up")
    world.clock.now += timedelta(days=90)
    assert (await world.cycle()).requests == 0
    assert await world.store.retry_escrowed(JOB, person, world.clock.now) == 1
    assert (await world.cycle()).requests == 1


async def test_reference_to_deleted_manager_is_cleared(world: World):
    boss = world.person(1)
    person = world.person(2, manager=boss)
    await world.cycle()
    leave(world, boss, gone=True)

    cycle = await world.cycle()

    assert (cycle.counts.disable, cycle.counts.blank) == (1, 1)
    assert MANAGER not in world.of("User")[person]
    await _assert_settled(world)


async def test_manager_out_of_scope_stays_referenced_while_it_has_a_resource(
    world: World,
):
    boss = world.person(1)
    person = world.person(2, manager=boss)
    await world.cycle()
    id_ = world.id_of(boss)
    leave(world, boss)
    await world.cycle()
    assert world.of("User")[person][MANAGER] == id_
    await _assert_settled(world)

    world.program = DELETING
    cycle = await world.cycle()

    assert (cycle.counts.delete, MANAGER in world.of("User")[person]) == (1, False)
    await _assert_settled(world)


async def test_manager_with_staged_deletion_stays_referenced(world: World):
    world.program = DELETING
    boss = world.person(1)
    person = world.person(2, manager=boss)
    await world.cycle()
    world.guard = {"deletes": NONE}
    leave(world, boss)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.staged, cycle.counts.blank) == ("blocked", 1, 0)
    assert world.of("User")[person][MANAGER] == world.id_of(boss)


async def test_creation_includes_linked_manager(world: World):
    boss = world.person(1)
    await world.cycle()
    world.person(2, manager=boss)
    come(world, world.objects[guid(2)])
    before = len(world.target.writes)

    cycle = await world.cycle()

    assert (cycle.counts.create, cycle.counts.update) == (1, 0)
    assert len(world.target.writes) == before + 1
    assert world.of("User")[guid(2)][MANAGER] == world.id_of(boss)
    await _assert_settled(world)


async def test_refused_manager_does_not_block_the_creation(
    world: World,
):
    class Particular(MemoryTarget):
        async def create(self, resource_type, values):
            if MANAGER in values:
                self.requests += 1
                raise Refusal(400, "Unknown manager.")
            return await super().create(resource_type, values)

    world.target = Particular()
    boss = world.person(1)
    await world.cycle()
    world.person(2, manager=boss)
    come(world, world.objects[guid(2)])

    assert (await world.cycle()).counts.create == 1
    assert world.of("User")[guid(2)][MANAGER] == world.id_of(boss)
    await _assert_settled(world)


async def test_user_without_mapped_active_is_disabled_and_enabled(
    world: World,
):
    whole = program()
    users = whole.mappings[0]
    rules = tuple(each for each in users.rules if each.target != "active")
    users = msgspec.structs.replace(users, rules=rules)
    world.program = msgspec.structs.replace(whole, mappings=(users, whole.mappings[1]))
    person = world.person(1)
    await world.cycle()
    leave(world, person)
    assert (await world.cycle()).counts.disable == 1
    world.person(1)
    come(world, world.objects[person])
    assert (await world.cycle()).counts.enable == 1
    assert world.of("User")[person]["active"] is True
    await _assert_settled(world)
