"""Absence proves nothing: which objects are read by objectGUID, and the effects."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.support.memory_target import MemoryTarget
from tests.support.world import JOB, World, guid

from cloudforest.model.cycles import ImportEnd, Watermark
from cloudforest.model.jobs import RESET_SCOPES
from cloudforest.model.messages import (
    Closing,
    Members,
    MovedContainers,
    OutOfScope,
    ScopeMembers,
    Tombstone,
    Unknown,
)
from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import ScopeProgram
from cloudforest.model.source import FlatResource
from cloudforest.provisioning import imports
from cloudforest.provisioning.impact import compute_impact
from cloudforest.provisioning.imports import MISSING_MANIFEST

RIGHT = "read and list CN=Deleted Objects"


def asked(world: World) -> list[list[str]]:
    """Return the lookups of the reads of the last cycle."""
    reads: list[list[str]] = []
    for request in reversed(world.asked):
        if request.kind == "import":
            break
        reads.insert(0, [each.value for each in request.lookups])
    return reads


async def states(world: World, *ids: str) -> list[str | None]:
    rows = [await world.store.load_source_object(JOB, each) for each in ids]
    return [each.presence if each else None for each in rows]


async def watermark(world: World) -> Watermark:
    held = await world.store.load_watermark(JOB)
    assert held is not None
    return held


@pytest.mark.parametrize("kind", ["initial", "incremental"])
async def test_object_missing_from_a_full_import_is_read_by_object_guid(
    world: World, kind: str
):
    """A rejected cookie turns an incremental import into a full read."""
    here, hidden, gone, moved = (world.person(n) for n in range(1, 5))
    await world.cycle()
    for each in (hidden, gone, moved):
        del world.objects[each]
    world.answers = {
        gone: Tombstone(id=gone),
        moved: OutOfScope(id=moved, clause="groups"),
    }
    world.delta = list(world.objects.values())
    full = ("user", "group", "contact")
    world.closing = Closing(complete=True, watermark="2", directory="d", full=full)
    if kind == "initial":
        none = msgspec.structs.replace(await watermark(world), value=None)
        await world.store.finish_import(JOB, "cloud", 1, ImportEnd(watermark=none))

    cycle = await world.cycle()

    assert cycle.kind == kind
    assert asked(world) == [[hidden, gone, moved]]
    expected = ["in", "unknown", "gone", "out"]
    assert await states(world, here, hidden, gone, moved) == expected
    assert (cycle.counts.read, cycle.counts.in_scope) == (3, 2)


async def test_unknown_people_stay_unchanged_until_they_are_found_again(world: World):
    person = world.person(1, title="Clerk")
    await world.cycle()
    world.delta = [Unknown(id=person)]
    world.answers = {person: Unknown(id=person)}

    cycle = await world.cycle()

    assert (cycle.state, cycle.requests) == ("succeeded", 0)
    assert await states(world, person) == ["unknown"]
    world.delta = []
    await world.cycle()
    assert asked(world) == []
    world.clock.now += timedelta(days=1)
    world.answers = {}
    await world.cycle()
    assert asked(world) == [[person]]
    assert await states(world, person) == ["in"]


async def test_next_cycle_repeats_a_failed_read(world: World):
    one, two = world.person(1), world.person(2)
    await world.cycle()
    world.delta = [Unknown(id=one), Unknown(id=two)]
    world.answers = {one: Tombstone(id=one)}
    world.reading = Closing(complete=False, error="dc1 stopped answering.")

    failed = await world.cycle()

    assert (failed.state, failed.error) == ("failed", "dc1 stopped answering.")
    assert (await watermark(world)).value == "1"
    world.delta, world.reading = [], None
    assert (await world.cycle()).state == "succeeded"
    assert asked(world) == [[one, two]]
    assert await states(world, one, two) == ["gone", "in"]
    await world.cycle()
    assert asked(world) == []


async def test_another_domain_is_refused_until_a_restart_accepts_it(world: World):
    person = world.person(1)
    await world.cycle()
    await world.read_all()
    world.closing = Closing(complete=True, watermark="2", directory="another")
    del world.objects[person]
    world.answers = {person: Tombstone(id=person)}

    for _ in range(2):
        cycle = await world.cycle()
        assert (cycle.state, cycle.fault, cycle.requests) == (
            "failed",
            "configuration",
            0,
        )
        assert "--reset Full" in (cycle.error or "")
    assert world.asked[-1].directory == "d"
    assert await states(world, person) == ["in"]

    await world.restart(*RESET_SCOPES)
    assert (await world.cycle()).counts.disable == 1


async def test_read_answered_by_another_domain_fails_the_cycle(world: World):
    person = world.person(1)
    await world.cycle()
    world.delta = [Unknown(id=person)]
    world.answers = {person: Tombstone(id=person)}
    world.reading = Closing(complete=True, directory="another")

    cycle = await world.cycle()

    assert (cycle.state, cycle.unreachable, cycle.requests) == ("failed", True, 0)
    assert cycle.error is not None
    assert "different domains" in cycle.error
    assert await world.store.list_inquiries(JOB, 9) == [person]


async def test_many_objects_are_read_in_batches(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(imports, "BATCH", 2)
    people = [world.person(n) for n in range(1, 6)]
    await world.cycle()
    world.delta = [Unknown(id=each) for each in people]

    await world.cycle()

    assert asked(world) == [people[:2], people[2:4], people[4:]]


async def test_group_that_enters_the_scope_gets_all_its_members(world: World):
    one, two = world.person(1), world.person(2)
    await world.cycle()
    group = world.group(20, one, two)
    world.delta = [world.objects[group], Members(id=group, add=(two,))]

    await world.cycle()

    assert asked(world) == [[group]]
    assert world.members_of(group) == {one, two}


async def test_new_member_of_a_scope_group_is_read_and_created(world: World):
    world.closing = Closing(complete=True, watermark="1", directory="d", members=True)
    one = world.person(1)
    world.delta = [ScopeMembers(ids=(one,))]
    await world.cycle()
    await world.cycle()
    two = world.person(2)
    world.delta = [ScopeMembers(ids=(one, two))]

    cycle = await world.cycle()

    assert asked(world) == [[two]]
    assert cycle.counts.create == 1
    world.delta = [ScopeMembers(ids=(two,))]
    world.answers = {one: OutOfScope(id=one, clause="groups")}
    await world.cycle()
    assert asked(world) == [[one]]
    assert await states(world, one, two) == ["out", "in"]


async def test_objects_of_a_moved_container_are_read(world: World):
    one, two = world.person(1), world.person(2)
    for each in (one, two):
        inside = msgspec.structs.replace(world.objects[each], parent=guid(90))
        world.objects[each] = inside
    await world.cycle()
    world.delta = [MovedContainers(ids=(guid(90),)), world.objects[one]]
    world.answers = {two: OutOfScope(id=two)}

    await world.cycle()

    assert asked(world) == [[two]]
    assert await states(world, one, two) == ["in", "out"]


async def test_unreadable_object_is_logged(world: World):
    """Without the entry, only its agent would know of an object never imported."""
    await world.cycle()
    big = Unknown(id=guid(7), reason="too-large: the object takes 9 bytes.")
    world.delta, world.answers = [big], {big.id: big}

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.skipped) == ("succeeded", 1)
    (entry,) = await world.log(action="read", cycle=cycle.id)
    assert (entry.object, entry.status, entry.reason) == (big.id, "failure", big.reason)
    world.delta = []
    await world.cycle()
    assert len(await world.log(action="read")) == 1


class Refusing(MemoryTarget):
    """A target that refuses a title."""

    async def create(self, resource_type: str, values: FlatResource) -> str:
        if values.get("title") == "Refused":
            self.requests += 1
            raise Refusal(400, "The target does not accept this title.")
        return await super().create(resource_type, values)


async def test_escrowed_object_is_read_again_for_each_retry(world: World):
    world.target = Refusing()
    person = world.person(1, title="Refused")
    await world.cycle()
    world.person(1, title="Clerk")
    world.delta = []
    await world.cycle()
    assert asked(world) == []

    world.clock.now += timedelta(minutes=1)
    cycle = await world.cycle()

    assert asked(world) == [[person]]
    assert (cycle.state, cycle.counts.create) == ("succeeded", 1)
    assert world.of("User")[person]["title"] == "Clerk"


async def test_all_objects_are_read_daily_while_deletions_are_not_visible(world: World):
    linked, gone = world.person(1), world.person(2)
    lacking = Closing(complete=True, watermark="1", directory="d", lacks=(RIGHT,))
    world.closing = lacking
    await world.cycle()
    world.delta = []
    world.answers = {gone: Tombstone(id=gone)}
    world.clock.now += timedelta(hours=23)
    await world.cycle()
    assert asked(world) == []

    world.clock.now += timedelta(hours=1)
    await world.cycle()

    assert asked(world) == [[linked, gone]]
    assert await states(world, linked, gone) == ["in", "gone"]
    held = await watermark(world)
    assert (held.lacks, held.asked) == ((RIGHT,), world.clock.now)
    await world.cycle()
    assert asked(world) == []


async def test_ldif_export_without_manifest_removes_nobody(
    world: World,
):
    one, two = world.person(1), world.person(2, title="Clerk")
    group = world.group(20, one, two)
    await world.cycle()
    three = world.person(3)
    world.person(2, title="Head")
    del world.objects[one]
    world.members[group] = {two, three}
    parts = Members(id=group, add=(two, three))
    world.delta = [*world.objects.values(), parts]
    full = ("user", "group", "contact")
    world.closing = Closing(complete=False, watermark="2", directory="d", full=full)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.update) == (
        "succeeded",
        1,
        1,
    )
    assert await states(world, one) == ["unknown"]
    assert world.members_of(group) == {one, two, three}
    held = await watermark(world)
    assert (held.value, held.lacks) == ("2", (MISSING_MANIFEST,))


async def test_requests_carry_the_scope_bindings(world: World):
    units = ("OU=A", "OU=B")
    scope = ScopeProgram(types=("user", "group"), organizational_units=units)
    world.program = msgspec.structs.replace(world.program, scope=scope)
    bindings = {"OU=A": guid(91), "OU=B": guid(92)}
    world.closing = Closing(
        complete=True, watermark="1", directory="d", bindings=bindings
    )
    person = world.person(1)
    await world.cycle()
    world.delta = [Unknown(id=person)]
    await world.cycle()
    assert [each.bindings for each in world.asked] == [{}, bindings, bindings]

    scope = msgspec.structs.replace(scope, organizational_units=("OU=B", "OU=C"))
    world.program = msgspec.structs.replace(world.program, scope=scope)
    await compute_impact(world.run(), plan_digest="d" * 32)
    assert world.asked[-1].bindings == {"OU=B": guid(92)}


async def test_preview_sends_the_same_requests_as_the_cycle(world: World):
    one, two = world.person(1), world.person(2)
    world.group(20, one, two)
    await world.cycle()
    del world.objects[one]
    world.answers = {one: OutOfScope(id=one)}
    await world.read_all()

    found = await compute_impact(world.run(), plan_digest="d" * 32)

    # Once for its presence, and once for the clause.
    assert asked(world) == [[one], [one]]
    assert found.counts.in_scope == 2
    assert await states(world, one, two) == ["in", "in"]
    assert await world.store.list_inquiries(JOB, 9) == []
