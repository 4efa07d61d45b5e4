"""Matching and linking: each resource belongs to one object."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.shared_target import cycle_of, other_job
from tests.support.world import World, guid, program, rule

from cloudforest.base.errors import TargetUnavailable
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import FlatResource, Link
from cloudforest.provisioning.explanation.explain import explain_object
from cloudforest.provisioning.matching import MAX_SINGLE_LOOKUPS


async def _links(world: World, *numbers: int) -> dict[str, Link]:
    return await world.store.load_links("cloud", [guid(each) for each in numbers])


class Slow(MemoryTarget):
    async def create(self, resource_type: str, values: FlatResource) -> str:
        await asyncio.sleep(0.001)
        return await super().create(resource_type, values)

    async def find(self, *arguments: Any) -> Any:
        await asyncio.sleep(0.001)
        return await super().find(*arguments)


async def test_resource_just_created_by_a_sibling_job_is_not_adopted(
    world: World, monkeypatch
):
    world.target = Slow()
    record = world.store.save_outcomes

    async def late(*arguments: Any, **named: Any) -> None:
        await asyncio.sleep(0.05)
        await record(*arguments, **named)

    monkeypatch.setattr(world.store, "save_outcomes", late)
    world.person(1)
    world.person(2, userprincipalname="p1@contoso.com", displayname="Somebody else")

    cycle = await world.cycle()

    assert (cycle.counts.create, cycle.counts.escrow) == (1, 1)
    assert len(await _links(world, 1, 2)) == 1
    (held,) = await world.escrowed()
    assert held.reason is not None
    assert held.reason.startswith("already-linked")


async def test_two_objects_in_conflict_do_not_adopt_the_same_resource(
    world: World,
):
    class Late(Slow):
        """Somebody else creates the person between matching and creating."""

        async def create(self, resource_type: str, values: FlatResource) -> str:
            stranger = MemoryResource("User", {"userName": "same@contoso.com"})
            self.resources_by_id.setdefault("late", stranger)
            return await super().create(resource_type, values)

    world.target = Late()
    for number in (1, 2):
        world.person(number, userprincipalname="same@contoso.com")

    cycle = await world.cycle()

    assert (cycle.counts.adopt, cycle.counts.escrow) == (1, 1)
    assert world.target.writes == [("modify", "late")]


async def test_creation_answered_with_a_linked_resource_is_escrowed(
    world: World,
):
    class Upserting(MemoryTarget):
        """A service that answers a creation with the existing resource of that name."""

        async def create(self, resource_type: str, values: FlatResource) -> str:
            for id_, held in self.resources_by_id.items():
                if held.values["userName"] == values["userName"]:
                    return id_
            return await super().create(resource_type, values)

    world.target = Upserting()
    world.person(1)
    await world.cycle()
    world.person(2, userprincipalname="p1@contoso.com")
    world.program = _unmatched_names()
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.escrow) == ("partial", 1)
    assert set(await _links(world, 1, 2)) == {guid(1)}


def _unmatched_names():
    return _with_rules(
        lambda rule: {"matching_priority": int(rule.target == "externalId")}
    )


def _with_rules(options):
    whole = program()
    users, groups = whole.mappings
    rules = tuple(
        msgspec.structs.replace(each, **options(each)) for each in users.rules
    )
    users = msgspec.structs.replace(users, rules=rules)
    return msgspec.structs.replace(whole, mappings=(users, groups))


async def test_two_jobs_of_one_target_take_turns_and_share_no_resource(world: World):
    other, registration = other_job(world)
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "same@contoso.com"}
    )
    world.person(1, userprincipalname="same@contoso.com")
    other.person(2, userprincipalname="same@contoso.com")

    first, second = await asyncio.gather(
        world.cycle(),
        cycle_of(world, "lab", other, registration),
    )

    assert (first.counts.adopt, second.counts.adopt) == (1, 0)
    assert (first.state, second.state) == ("succeeded", "partial")
    assert set(await _links(world, 1, 2)) == {guid(1)}


async def test_target_without_filters_is_matched_in_a_snapshot(world: World):
    class Unfiltered(MemoryTarget):
        async def find(self, resource_type, path, value, paths):
            if path == "externalId":
                self.requests += 1
                raise Refusal(400, "The target answered 400 invalidFilter.")
            return await super().find(resource_type, path, value, paths)

    world.target = Unfiltered()
    world.target.resources_by_id["x"] = MemoryResource("User", {"externalId": guid(2)})
    world.person(1)
    world.person(2)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.create, cycle.counts.adopt) == ("succeeded", 1, 1)


async def test_snapshot_distinguishes_values_by_case_and_late_characters(
    world: World,
):
    long = "x" * 500
    for number in range(1, 25):
        world.person(number)
    for number, anchor in ((1, "AbC=="), (2, f"{long}a")):
        altered = msgspec.structs.replace(world.objects[guid(number)], anchor=anchor)
        world.objects[guid(number)] = altered
    for id_, anchor in (("x", "aBc=="), ("y", f"{long}b")):
        world.target.resources_by_id[id_] = MemoryResource(
            "User", {"externalId": anchor}
        )

    cycle = await world.cycle()

    assert (cycle.counts.adopt, cycle.counts.create) == (0, 24)


async def test_refused_adoption_is_not_retried_in_each_cycle(world: World):
    class Stubborn(MemoryTarget):
        async def modify(self, *_arguments: Any) -> None:
            self.requests += 1
            raise Refusal(400, "The target does not change this.")

    default = {"default_value": "Staff"}
    world.program = _with_rules(lambda rule: default if rule.target == "title" else {})
    world.target = Stubborn()
    world.person(1)
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "p1@contoso.com"}
    )

    requests = [(await world.cycle()).requests for _ in range(3)]

    assert requests == [3, 0, 0]
    world.clock.now += timedelta(minutes=2)
    assert (await world.cycle()).requests == 3


async def test_ambiguous_match_is_not_looked_up_in_each_cycle(world: World):
    default = {"default_value": "Staff"}
    world.program = _with_rules(lambda rule: default if rule.target == "title" else {})
    world.person(1)
    for id_ in ("x", "y"):
        world.target.resources_by_id[id_] = MemoryResource(
            "User", {"externalId": guid(1)}
        )

    assert [(await world.cycle()).requests for _ in range(3)] == [1, 0, 0]


class Losing(MemoryTarget):
    """A target that creates the resource, but whose answer is lost."""

    async def create(self, resource_type: str, values: FlatResource) -> str:
        await super().create(resource_type, values)
        raise Refusal(0, "The target did not answer to a POST.")


async def test_resource_created_without_an_answer_is_ours(world: World):
    world.target = Losing()
    world.person(1)
    await world.cycle()
    world.clock.now += timedelta(minutes=2)

    cycle = await world.cycle()

    assert (cycle.counts.create, cycle.counts.adopt) == (1, 0)
    assert (await _links(world, 1))[guid(1)].origin == "created"


async def test_resource_we_never_sent_is_not_ours(world: World):
    class Down(MemoryTarget):
        async def create(self, *_arguments: Any) -> str:
            raise TargetUnavailable("The target does not answer.")

    world.target = Down()
    world.person(1)
    await world.cycle()
    world.target = MemoryTarget()
    found = MemoryResource("User", {"externalId": guid(1), "userName": "made@by.hr"})
    world.target.resources_by_id["x"] = found

    cycle = await world.cycle()

    assert (cycle.counts.create, cycle.counts.adopt) == (0, 1)
    assert (await _links(world, 1))[guid(1)].origin == "adopted"


async def test_resource_with_our_name_but_another_anchor_is_not_ours(world: World):
    class Refusing(MemoryTarget):
        async def create(self, *_arguments: Any) -> str:
            raise Refusal(0, "The target did not answer to a POST.")

    world.program = _with_rules(
        lambda rule: {"matching_priority": int(rule.target == "userName")}
    )
    world.target = Refusing()
    world.person(1)
    await world.cycle()
    world.target = MemoryTarget()
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "p1@contoso.com"}
    )
    world.clock.now += timedelta(minutes=2)

    await world.cycle()

    assert (await _links(world, 1))[guid(1)].origin == "adopted"


async def test_conflicting_object_is_not_disabled_past_the_guard(world: World):
    class Late(MemoryTarget):
        async def create(self, resource_type: str, values: FlatResource) -> str:
            name = values["userName"]
            stranger = MemoryResource("User", {"userName": name, "active": True})
            self.resources_by_id.setdefault("late", stranger)
            return await super().create(resource_type, values)

    world.target = Late()
    world.person(1, disabled="yes")

    first = await world.cycle()
    world.clock.now += timedelta(minutes=2)
    second = await world.cycle()

    assert (first.counts.adopt, first.counts.escrow) == (0, 1)
    assert (second.counts.adopt, second.counts.escrow) == (1, 0)


class Unfiltered(MemoryTarget):
    """A target whose resources can only be listed."""

    async def find(self, *_arguments: Any) -> Any:
        self.requests += 1
        raise Refusal(501, "No filters here.")


def _users(world: World, **titles: str) -> None:
    for id_, title in titles.items():
        world.target.resources_by_id[id_] = MemoryResource("User", {"title": title})


@pytest.mark.parametrize("pictured", [False, True])
async def test_attributes_match_in_the_order_of_their_priority(
    world: World, *, pictured: bool
):
    """Numbers give the order, not lines; an object without a match is created."""
    if pictured:
        world.target = Unfiltered()
    order = {"title": 1, "externalId": 3, "displayName": 20}
    world.program = _with_rules(
        lambda rule: {"matching_priority": order.get(rule.target, 0)}
    )
    for number in range(1, 5):
        world.person(number, title=f"T{number}")
    _users(world, first="T1")
    held = world.target.resources_by_id
    held["not-first"] = MemoryResource("User", {"externalId": guid(1), "title": "x"})
    held["second"] = MemoryResource("User", {"externalId": guid(2), "title": "y"})
    held["not-second"] = MemoryResource("User", {"displayName": "Person 2"})
    held["third"] = MemoryResource("User", {"displayName": "Person 3"})

    cycle = await world.cycle()

    links = await _links(world, 1, 2, 3, 4)
    assert [links[guid(number)].resource for number in (1, 2, 3)] == [
        *("first", "second", "third")
    ]
    assert (cycle.counts.adopt, cycle.counts.create) == (3, 1)


@pytest.mark.parametrize("pictured", [False, True])
async def test_second_priority_does_not_resolve_an_ambiguous_first(
    world: World, *, pictured: bool
):
    if pictured:
        world.target = Unfiltered()
    order = {"title": 1, "userName": 2}
    world.program = _with_rules(
        lambda rule: {"matching_priority": order.get(rule.target, 0)}
    )
    world.person(1, title="Clerk")
    _users(world, one="Clerk", other="CLERK")
    world.target.resources_by_id["named"] = MemoryResource(
        "User", {"userName": "p1@contoso.com"}
    )

    cycle = await world.cycle()

    assert (cycle.counts.escrow, cycle.counts.adopt, cycle.counts.create) == (1, 0, 0)
    (held,) = await world.escrowed()
    assert held.reason is not None
    assert held.reason.startswith("ambiguous-match")
    assert world.target.writes == []


BADGE, CLEARED = "urn:contoso:2.0:User:badge", "urn:contoso:2.0:User:cleared"


def _matched_by(target: str, attribute: str, type_: Any):
    """Return the program that matches by this attribute only."""
    users, groups = _unmatched_names().mappings
    rules = [msgspec.structs.replace(each, matching_priority=0) for each in users.rules]
    typed = rule(target, attribute, matching_priority=1, type=type_)
    users = msgspec.structs.replace(users, rules=(*rules, typed))
    return msgspec.structs.replace(program(), mappings=(users, groups))


@pytest.mark.parametrize("people", [1, MAX_SINGLE_LOOKUPS + 5])
async def test_number_matches_by_lookup_and_in_the_snapshot(world: World, people: int):
    world.program = _matched_by(BADGE, "employeeid", "integer")
    for number in range(1, people + 1):
        world.person(number, employeeid=f"00{number}")
        old = {"userName": f"p{number}@contoso.com", BADGE: number}
        world.target.resources_by_id[f"old{number}"] = MemoryResource("User", old)

    cycle = await world.cycle()

    assert (cycle.counts.adopt, cycle.counts.create) == (people, 0)
    links = await _links(world, *range(1, people + 1))
    assert {each.resource for each in links.values()} == set(
        world.target.resources_by_id
    )
    assert links[guid(1)].resource == "old1"


@pytest.mark.parametrize("value", ["True", "False"])
async def test_false_is_a_match_value(world: World, value: str):
    world.program = _matched_by(CLEARED, "division", "boolean")
    world.person(1, division=value)
    for each in (True, False):
        held = {"userName": "p1@contoso.com", CLEARED: each}
        world.target.resources_by_id[str(each)] = MemoryResource("User", held)

    told = await explain_object(world.run(), Lookup(by="guid", value=guid(1)))
    await world.cycle()

    (match,) = [each for each in told["steps"] if each["step"] == "match"]
    assert match["detail"]["attempts"] == [
        {"attribute": CLEARED, "value": value == "True", "found": 1}
    ]
    assert (await _links(world, 1))[guid(1)].resource == value
