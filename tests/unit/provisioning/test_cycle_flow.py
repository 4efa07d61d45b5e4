"""Flow types and flow behavior, over whole cycles."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.world import MANAGER, World, guid, with_rule

from cloudforest.model.effects import Change
from cloudforest.model.program import Attribute, JobProgram
from cloudforest.model.registration import Budget
from cloudforest.program.expressions.syntax import parse_expression

TITLE = Attribute(name="title")
DRAWN = parse_expression("RandomString(12, 1, 1, 1, 1, )")


def of_members(**options: object) -> JobProgram:
    whole = with_rule("title", TITLE)
    groups = whole.mappings[1]
    rules = tuple(
        msgspec.structs.replace(each, **options) if each.multi else each
        for each in groups.rules
    )
    changed = msgspec.structs.replace(groups, rules=rules)
    return msgspec.structs.replace(whole, mappings=(whole.mappings[0], changed))


async def again(world: World):
    """Run a cycle that imports all objects as they are now."""
    world.delta = list(world.objects.values())
    return await world.cycle()


def title(world: World, number: int = 1):
    return world.of("User")[guid(number)].get("title")


async def test_object_whose_pattern_times_out_is_escrowed_alone(world):
    runs_away = parse_expression('Replace([title], , "(a|aa)+$", , "x")')
    world.program = with_rule("title", runs_away)
    world.person(1, title="a" * 60 + "b")
    world.person(2, title="aaaa")
    cycle = await world.cycle()
    assert cycle.state == "partial"
    assert world.of("User")[guid(2)]["title"] == "x"
    assert guid(1) not in world.of("User")
    (held,) = await world.escrowed()
    assert held.id == guid(1)
    assert held.reason.startswith("mapping-fault: title: The regular expression")


@pytest.mark.parametrize(
    ("flow", "first", "second", "third"),
    [
        ("Always", "a", "b", None),
        ("ObjectAddOnly", "a", "a", "a"),
        ("ValueAddOnly", "a", "a", "a"),
        ("AttributeAddOnly", "a", "a", "a"),
        ("MultiValueAddOnly", "a", "a", "a"),
    ],
)
async def test_flow_type_decides_when_a_value_is_written(
    world, flow, first, second, third
):
    world.program = with_rule("title", TITLE, flow_type=flow)
    for value, expected in (("a", first), ("b", second), ("", third)):
        world.person(1, title=value)
        await again(world)
        assert title(world) == expected


@pytest.mark.parametrize(
    ("flow", "later"),
    [("ObjectAddOnly", None), ("ValueAddOnly", "a"), ("AttributeAddOnly", "a")],
)
async def test_only_object_add_only_skips_a_value_that_appears_later(
    world, flow, later
):
    world.program = with_rule("title", TITLE, flow_type=flow)
    world.person(1)
    await again(world)
    world.person(1, title="a")
    await again(world)
    assert title(world) == later


async def test_always_flowing_value_is_sent_with_each_update_but_causes_none(world):
    world.program = with_rule("title", TITLE, flow_behavior="FlowAlways")
    world.person(1, title="a")
    await again(world)
    world.target.resources_by_id[world.id_of(guid(1))].values["title"] = "meddled with"
    assert (await again(world)).requests == 0
    assert title(world) == "meddled with"
    world.person(1, title="a", displayname="Somebody")
    await again(world)
    assert title(world) == "a"
    assert (await again(world)).requests == 0
    entry = (await world.log())[-1]
    assert entry.changes == (
        Change(path="displayName", before="Person 1", after="Somebody"),
        Change(path="title", before="a", after="a", how="again"),
    )


async def test_default_value_is_written_on_create_and_replaced_by_a_later_value(world):
    world.program = with_rule("title", TITLE, default_value="none")
    world.person(1)
    await again(world)
    assert title(world) == "none"
    world.person(1, displayname="Somebody")
    await again(world)
    assert title(world) == "none"
    world.person(1, title="a")
    await again(world)
    assert title(world) == "a"
    world.person(1)
    await again(world)
    assert title(world) is None


@pytest.mark.parametrize(("when_null", "left"), [("clear", None), ("keep", "a")])
async def test_null_clears_or_keeps_the_written_value_as_configured(
    world, when_null, left
):
    world.program = with_rule("title", TITLE, when_null=when_null)
    world.person(1, title="a")
    await again(world)
    world.person(1)
    await again(world)
    assert title(world) == left


@pytest.mark.parametrize(("export", "shown"), [(True, guid(2)), (False, None)])
async def test_missing_reference_is_sent_as_object_guid_or_waits(world, export, shown):
    world.program = with_rule(
        MANAGER, Attribute(name="manager"), export_missing_references=export
    )
    world.person(1, manager=guid(2))
    await again(world)
    assert world.of("User")[guid(1)].get(MANAGER) == shown
    assert (await again(world)).requests == 0
    world.person(2)
    await again(world)
    assert world.of("User")[guid(1)][MANAGER] == world.id_of(guid(2))
    assert (await again(world)).requests == 0


@pytest.mark.parametrize(
    "flow", ["ObjectAddOnly", "ValueAddOnly", "AttributeAddOnly", "MultiValueAddOnly"]
)
async def test_add_only_reference_stays_unchanged(world, flow):
    world.program = with_rule(MANAGER, Attribute(name="manager"), flow_type=flow)
    first, second = world.person(2), world.person(3)
    world.person(1, manager=first)
    await again(world)
    for manager in (second, ""):
        world.person(1, manager=manager)
        await again(world)
        assert world.of("User")[guid(1)][MANAGER] == world.id_of(first)


async def test_add_only_members_are_never_removed(world):
    world.program = of_members(flow_type="MultiValueAddOnly")
    one, two = world.person(1), world.person(2)
    group = world.group(3, one)
    await world.cycle()
    world.members[group] = {two}
    await world.read_all()
    cycle = await world.cycle()
    assert world.members_of(group) == {one, two}
    assert (cycle.counts.member_add, cycle.counts.member_remove) == (1, 0)


async def test_random_value_is_written_once_and_keeps_its_allowance(world):
    world.program = with_rule("title", DRAWN, flow_type="ObjectAddOnly")
    world.person(1)
    await again(world)
    first = title(world)
    assert len(first) == 12
    world.person(1, displayname="Somebody")
    await again(world)
    assert title(world) == first
    world.guard = {"creates": Budget(max=0, percent=0, base=0, window=3600)}
    world.person(2)
    await again(world)
    staged = await world.store.load_effects("people", [guid(2)])
    await again(world)
    assert await world.store.load_effects("people", [guid(2)]) == staged
