"""Cycles over a small forest: the writes sent, and the resulting target."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import JOB, MANAGER, World, guid, with_rule

from cloudforest.base.errors import Busy, Misconfigured, Refused, Unavailable
from cloudforest.model.effects import Change
from cloudforest.model.messages import Closing
from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import Attribute, Call, ScopeProgram
from cloudforest.model.source import FlatResource
from cloudforest.provisioning.cycle import record_failure
from cloudforest.provisioning.impact import compute_impact


async def test_first_cycle_creates_people_groups_members_and_managers(world: World):
    boss = world.person(1)
    people = [world.person(n, manager=boss) for n in range(2, 8)]
    team = world.group(20, *people)
    nested = world.group(21, team, boss)

    cycle = await world.cycle()

    assert (cycle.state, cycle.kind, cycle.error) == ("succeeded", "initial", None)
    assert set(world.of("User")) == {boss, *people}
    assert world.of("User")[people[0]][MANAGER] == world.id_of(boss)
    assert MANAGER not in world.of("User")[boss]
    assert world.members_of(team) == set(people)
    assert world.members_of(nested) == {team, boss}
    counts = cycle.counts
    assert (counts.read, counts.in_scope, counts.create) == (9, 9, 9)
    assert (counts.update, counts.unchanged, counts.member_add) == (0, 0, 8)


async def test_manager_is_created_first_so_that_creations_can_refer_to_it(world: World):
    people = [world.person(n, manager=guid(9)) for n in range(1, 6)]
    boss = world.person(9, manager=guid(10))
    chief = world.person(10)
    expected = await compute_impact(world.run(), plan_digest="d")

    cycle = await world.cycle()

    ids = [world.id_of(each) for each in (boss, chief)]
    assert sorted(world.target.writes[:2]) == sorted(("create", id_) for id_ in ids)
    assert [verb for verb, _ in world.target.writes] == ["create"] * 7 + ["modify"]
    assert world.target.writes[-1] == ("modify", world.id_of(boss))
    assert {world.of("User")[each][MANAGER] for each in people} == {ids[0]}
    assert world.of("User")[boss][MANAGER] == ids[1]
    assert expected.requests == len(world.target.writes)
    assert (expected.counts, cycle.counts.create) == (cycle.counts, 7)
    assert (await world.cycle()).requests == 0


async def test_cycle_after_a_successful_one_sends_nothing(world: World):
    boss = world.person(1)
    world.group(20, boss, world.person(2, manager=boss))
    await world.cycle()

    for kind in ("incremental", "initial"):
        cycle = await world.cycle()
        assert (cycle.kind, cycle.state, cycle.requests) == (kind, "succeeded", 0)
        assert cycle.counts.unchanged == 3
        await world.read_all()
    assert world.asked[1].watermark == "1"


async def test_only_changed_values_are_written(world: World):
    person = world.person(1, title="Clerk")
    await world.cycle()
    world.person(1, title="Head")
    world.delta = [world.objects[person]]

    cycle = await world.cycle()

    assert world.of("User")[person]["title"] == "Head"
    assert (cycle.counts.update, cycle.requests, cycle.counts.read) == (1, 1, 1)
    (entry,) = await world.log(action="update")
    assert entry.paths == ("title",)
    assert entry.changes == (Change(path="title", before="Clerk", after="Head"),)


async def test_cleared_value_is_removed_from_the_target(world: World):
    person = world.person(1, title="Clerk")
    await world.cycle()
    world.person(1)
    world.delta = [world.objects[person]]

    cycle = await world.cycle()

    assert "title" not in world.of("User")[person]
    assert (cycle.counts.blank, cycle.counts.update) == (1, 1)


@pytest.mark.parametrize("people", [3, 30])
async def test_existing_resource_is_adopted(world: World, people: int):
    for number in range(people):
        world.person(number)
    target = world.target
    target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "P0@CONTOSO.COM", "title": "Kept"}
    )
    same = {"userName": "p1@contoso.com", "displayName": "Person 1", "active": True}
    target.resources_by_id["y"] = MemoryResource(
        "User", {"externalId": guid(1), **same}
    )

    cycle = await world.cycle()

    assert (cycle.counts.adopt, cycle.counts.create) == (2, people - 2)
    assert len(target.resources_by_id) == people
    assert target.resources_by_id["x"].values["title"] == "Kept"
    assert target.resources_by_id["x"].values["externalId"] == guid(0)
    assert ("modify", "y") not in target.writes
    links = await world.store.load_links("cloud", [guid(0), guid(1), guid(2)])
    origins = [links[guid(n)].origin for n in range(3)]
    assert origins == ["adopted", "adopted", "created"]
    assert (await world.cycle()).requests == 0


async def test_members_of_an_adopted_group_are_not_added_again(world: World):
    one, two, three = (world.person(n) for n in (1, 2, 3))
    group = world.group(20, one, two, three)
    world.target.resources_by_id["p"] = MemoryResource(
        "User", {"externalId": one, "userName": "p1"}
    )
    held = MemoryResource("Group", {"externalId": group}, {"p", "stranger"})
    world.target.resources_by_id["g"] = held

    cycle = await world.cycle()

    assert cycle.counts.member_add == 2
    assert held.members == {"p", "stranger", world.id_of(two), world.id_of(three)}
    assert (await world.cycle()).requests == 0


async def test_ambiguous_match_escrows_only_that_object(world: World):
    clash, other = world.person(1), world.person(2)
    for id_ in ("x", "y"):
        world.target.resources_by_id[id_] = MemoryResource(
            "User", {"externalId": clash}
        )

    cycle = await world.cycle()

    assert cycle.state == "partial"
    assert (cycle.counts.escrow, cycle.counts.create) == (1, 1)
    (held,) = await world.escrowed()
    assert held.id == clash
    assert held.reason is not None
    assert held.reason.startswith("ambiguous-match")
    assert other in world.of("User")


async def test_resource_is_never_linked_to_two_objects(world: World):
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "same@contoso.com"}
    )
    for number in (1, 2):
        world.person(number, userprincipalname="same@contoso.com")

    cycle = await world.cycle()

    (held,) = await world.escrowed()
    assert (held.id, cycle.counts.adopt) == (guid(2), 1)
    assert held.reason is not None
    assert held.reason.startswith("already-linked")


class Refusing(MemoryTarget):
    """A target that refuses some titles."""

    refused = "Refused"

    async def create(self, resource_type: str, values: FlatResource) -> str:
        if values.get("title") == self.refused:
            self.requests += 1
            raise Refusal(400, "The target does not accept this title.")
        return await super().create(resource_type, values)


async def test_refused_object_waits_in_escrow_while_others_are_written(world: World):
    world.target = Refusing()
    bad = world.person(1, title="Refused")
    world.group(20, bad, world.person(2, manager=bad))

    first = await world.cycle()
    soon = await world.cycle()

    assert (first.state, first.counts.escrow, first.counts.create) == ("partial", 1, 2)
    assert (soon.state, soon.counts.escrow, soon.requests) == ("partial", 1, 0)

    world.clock.now += timedelta(minutes=1)
    world.target.refused = "Nothing"
    later = await world.cycle()

    assert (later.state, later.counts.create, later.counts.escrow) == (
        "succeeded",
        1,
        0,
    )
    assert bad in world.members_of(guid(20))
    assert world.of("User")[guid(2)][MANAGER] == world.id_of(bad)


async def test_escrowed_object_that_was_fixed_is_written_without_delay(world: World):
    world.target = Refusing()
    world.person(1, title="Refused")
    await world.cycle()
    world.person(1, title="Clerk")
    world.delta = [world.objects[guid(1)]]

    assert (await world.cycle()).counts.create == 1


class Down(MemoryTarget):
    """A target that stops answering after some writes."""

    left = 2

    async def create(self, resource_type: str, values: FlatResource) -> str:
        if self.left == 0:
            raise Unavailable("The target cloud does not answer; is it running?")
        self.left -= 1
        return await super().create(resource_type, values)


async def test_unavailable_target_ends_the_cycle_without_escrow(world: World):
    world.target = target = Down()
    for number in range(12):
        world.person(number)

    cycle = await world.cycle()

    assert (cycle.state, cycle.unreachable) == ("failed", True)
    assert cycle.error == "The target cloud does not answer; is it running?"
    assert (cycle.counts.create, cycle.counts.escrow) == (2, 0)
    assert (await world.store.count_effects())[JOB] == {"pending": 10}
    target.left = 100
    assert (await world.cycle()).counts.create == 10
    assert len(target.resources_by_id) == 12


async def test_conflicting_resource_is_looked_up_and_adopted(world: World):
    class Late(MemoryTarget):
        """Somebody else creates the person between matching and creating."""

        async def create(self, resource_type: str, values: FlatResource) -> str:
            self.resources_by_id.setdefault(
                "late", MemoryResource("User", {"userName": values["userName"]})
            )
            return await super().create(resource_type, values)

    world.target = Late()
    person = world.person(1)

    cycle = await world.cycle()

    assert (cycle.counts.adopt, cycle.counts.create) == (1, 0)
    assert world.of("User")[person]["displayName"] == "Person 1"
    links = await world.store.load_links("cloud", [person])
    assert (links[person].resource, links[person].origin) == ("late", "adopted")


async def test_name_released_in_the_same_cycle_can_be_reused(world: World):
    world.person(1)
    world.person(2)
    await world.cycle()
    world.person(1, userprincipalname="p2@contoso.com")
    world.person(2, userprincipalname="new@contoso.com")
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.update) == ("succeeded", 2)
    assert world.of("User")[guid(1)]["userName"] == "p2@contoso.com"


async def test_incomplete_import_fails_and_keeps_the_watermark(world: World):
    world.person(1)
    world.closing = Closing(complete=False, watermark="9", error="It broke off.")

    cycle = await world.cycle()

    assert (cycle.state, cycle.error, cycle.requests) == ("failed", "It broke off.", 0)
    assert await world.store.load_watermark(JOB) is None
    assert await world.store.load_source_object(JOB, guid(1)) is not None


async def test_cycle_fails_when_a_scope_name_resolves_to_another_object(world: World):
    scope = ScopeProgram(types=("user",), organizational_units=("OU=A",))
    world.program = msgspec.structs.replace(world.program, scope=scope)
    world.closing = Closing(complete=True, watermark="1", bindings={"OU=A": "one"})
    await world.cycle()
    world.closing = Closing(complete=True, watermark="2", bindings={"OU=A": "two"})

    cycle = await world.cycle()

    assert cycle.state == "failed"
    assert cycle.error is not None
    assert '"OU=A" now resolves to another object' in cycle.error
    held = await world.store.load_watermark(JOB)
    assert held is not None
    assert held.value == "1"
    assert world.asked[-1].bindings == {"OU=A": "one"}


async def test_impact_is_refused_when_a_scope_name_resolves_to_another_object(
    world: World,
):
    scope = ScopeProgram(
        types=("user",), organizational_units=None, groups=("CN=Staff",)
    )
    world.program = msgspec.structs.replace(world.program, scope=scope)
    world.closing = Closing(complete=True, watermark="1", bindings={"CN=Staff": "one"})
    await world.cycle()
    world.closing = Closing(complete=True, watermark="2", bindings={"CN=Staff": "two"})

    with pytest.raises(Refused, match='"CN=Staff" now resolves to another object'):
        await compute_impact(world.run(), plan_digest="d")

    assert world.asked[-1].bindings == {"CN=Staff": "one"}


async def test_reference_is_written_when_the_referenced_object_enters_the_scope(
    world: World,
):
    person = world.person(1, manager=guid(9))
    group = world.group(20, guid(9))
    await world.cycle()
    assert MANAGER not in world.of("User")[person]

    boss = world.person(9)
    world.delta = [world.objects[boss]]
    cycle = await world.cycle()

    assert world.of("User")[person][MANAGER] == world.id_of(boss)
    assert world.members_of(group) == {boss}
    assert (cycle.counts.create, cycle.counts.update) == (1, 1)
    assert (await world.cycle()).requests == 0


async def test_removed_member_is_removed_if_we_wrote_it(world: World):
    one, two, three = (world.person(n) for n in (1, 2, 3))
    group = world.group(20, one, two)
    await world.cycle()
    world.target.resources_by_id[world.id_of(group)].members.add(world.id_of(three))
    world.members[group] = {one}
    await world.read_all()

    cycle = await world.cycle()

    assert world.members_of(group) == {one, three}
    assert (cycle.counts.member_remove, cycle.counts.member_add) == (1, 0)


async def test_second_cycle_of_a_running_job_is_refused(world: World):
    with world.turns.hold_job(JOB), pytest.raises(Busy, match="already running"):
        await world.cycle()


async def test_refused_lookup_escrows_only_that_object(world: World):
    class Shy(MemoryTarget):
        async def find(self, resource_type, path, value, paths):
            if value == guid(1):
                raise Refusal(403, "This filter is not allowed.")
            return await super().find(resource_type, path, value, paths)

    world.target = Shy()
    world.person(1)
    world.person(2)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.escrow) == ("partial", 1, 1)


async def test_resource_deleted_at_the_target_is_escrowed(world: World):
    person = world.person(1)
    await world.cycle()
    world.target.resources_by_id.clear()
    world.person(1, title="Head")
    world.delta = [world.objects[person]]

    await world.cycle()

    (held,) = await world.escrowed()
    assert held.reason is not None
    assert held.reason.startswith("gone-at-target")


async def test_object_with_a_mapping_fault_is_logged_once(
    world: World,
):
    world.person(1, displayname="x" * 10)
    world.person(2)
    broken = Call(function="Word", arguments=(Attribute(name="displayname"),) * 3)
    world.program = with_rule("displayName", broken)

    first = await world.cycle()
    second = await world.cycle()

    assert (first.counts.escrow, second.counts.escrow) == (2, 2)
    assert len(await world.log(job=JOB)) == 2


async def test_unfitting_default_value_escrows_one_object(world: World):
    world.program = with_rule(
        "active", Attribute(name="nothing"), default_value="maybe"
    )
    person = world.person(1)
    world.group(20, person)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.escrow) == ("partial", 1, 1)
    (held,) = await world.escrowed()
    assert held.reason is not None
    assert held.reason.startswith("mapping-fault: active: ")


async def test_object_missing_from_a_complete_import_is_not_created(world: World):
    world.target = target = Down()
    target.left = 0
    one, two = world.person(1), world.person(2)
    await world.cycle()
    del world.objects[two]
    await world.read_all()
    target.left = 9

    cycle = await world.cycle()

    assert set(world.of("User")) == {one}
    assert (cycle.counts.in_scope, cycle.counts.create) == (1, 1)


async def test_cycle_that_fails_before_export_counts_no_writes(world: World):
    class Silent(MemoryTarget):
        async def list_member_ids(self, *_arguments):
            raise Unavailable("The target cloud does not answer.")

    world.target = Silent()
    world.group(20, world.person(1), cn="Team")
    world.target.resources_by_id["g"] = MemoryResource("Group", {"displayName": "Team"})

    cycle = await world.cycle()

    assert (cycle.state, world.target.writes) == ("failed", [])
    assert (cycle.counts.create, cycle.counts.adopt) == (0, 0)


async def test_job_whose_target_cannot_be_opened_has_a_failed_cycle(world: World):
    (job,) = world.registration().jobs
    error = Misconfigured("The variable SCIM_TOKEN is not set.")

    cycle = await record_failure(
        job, world.registration(), error, store=world.store, clock=world.clock
    )

    assert (cycle.state, cycle.error) == ("failed", str(error))
    assert await world.store.load_last_cycles() == {JOB: cycle}
