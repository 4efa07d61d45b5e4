"""SelectUniqueValue against the target, and values that a mapping leaves unchanged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import World, guid, rule, with_rule

from cloudforest.model.messages import Lookup
from cloudforest.model.ports.target import Refusal
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.provisioning.explanation.explain import explain_object

CHOICE = 'SelectUniqueValue([title], Append([title], "2"), Append([title], "3"))'


def choosing(expression=CHOICE):
    return with_rule("title", parse_expression(expression), flow_type="ObjectAddOnly")


def titles(world):
    return {anchor: each.get("title") for anchor, each in world.of("User").items()}


class Counting(MemoryTarget):
    """A target that counts its lookups and may not support filters."""

    def __init__(self, *, filters: bool = True) -> None:
        super().__init__()
        self.filters = filters
        self.asked = 0

    async def find_taken_values(self, resource_type, path, values):
        if not self.filters:
            raise Refusal(501, "No filters here.")
        self.asked += 1
        return await super().find_taken_values(resource_type, path, values)


@pytest.mark.parametrize("filters", [True, False])
@pytest.mark.parametrize("people", [3, 30])
async def test_first_free_value_is_written(world, filters, people):
    """Values taken in the target and in this cycle; few objects, or a whole listing."""
    world.target = Counting(filters=filters)
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "x", "title": "CLERK"}
    )
    world.program = choosing(
        "SelectUniqueValue([title], "
        + ", ".join(f'Append([title], "{n}")' for n in range(2, 40))
        + ")"
    )
    for number in range(1, people + 1):
        world.person(number, title="Clerk")
    cycle = await world.cycle()
    assert cycle.state == "succeeded"
    made = titles(world)
    assert made[guid(1)] == "Clerk2"
    assert len(set(made.values())) == people
    assert world.target.asked <= 1
    assert (await world.cycle()).counts.create == 0
    writes = len(world.target.writes)
    world.person(1, title="Boss")
    await world.cycle()
    assert titles(world)[guid(1)] == "Clerk2"
    assert len(world.target.writes) == writes


async def test_object_without_a_free_value_is_escrowed_alone(world: World):
    world.program = choosing('SelectUniqueValue([title], "Clerk")')
    world.person(1, title="Clerk")
    world.person(2, title="Clerk")
    world.person(3)
    cycle = await world.cycle()
    assert cycle.state == "partial"
    assert titles(world) == {guid(1): "Clerk"}
    reasons = {each.id: each.reason for each in await world.escrowed()}
    assert set(reasons) == {guid(2), guid(3)}
    assert "title: SelectUniqueValue has no free value" in reasons[guid(2)]


async def test_object_without_one_of_two_values_is_escrowed(world: World):
    """A value that is found for the second path must not hide the first's fault."""
    two = choosing('SelectUniqueValue([title], "Clerk")')
    users = two.mappings[0]
    nickname = rule("nickName", "title", flow_type="ObjectAddOnly")
    nickname = structs.replace(nickname, expression=parse_expression(CHOICE))
    users = structs.replace(users, rules=(*users.rules, nickname))
    world.program = structs.replace(two, mappings=(users, *two.mappings[1:]))
    world.person(1, title="Clerk")
    world.person(2, title="Clerk")
    cycle = await world.cycle()
    assert cycle.state == "partial"
    assert titles(world) == {guid(1): "Clerk"}
    assert {each.id for each in await world.escrowed()} == {guid(2)}


async def test_escrowed_object_gets_a_value_that_became_free(world: World):
    world.program = choosing('SelectUniqueValue([title], "Clerk")')
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "x", "title": "Clerk"}
    )
    world.person(1, title="Clerk")
    await world.cycle()
    del world.target.resources_by_id["x"]
    world.clock.now += timedelta(hours=1)
    await world.cycle()
    assert titles(world) == {guid(1): "Clerk"}


async def test_existing_resource_keeps_its_value(world: World):
    world.program = choosing()
    world.target.resources_by_id["r9"] = MemoryResource(
        "User", {"externalId": guid(1), "userName": "p1@contoso.com", "title": "Old"}
    )
    world.person(1, title="Clerk")
    await world.cycle()
    assert titles(world) == {guid(1): "Old"}


async def test_explain_names_the_candidates_and_the_choice(world: World):
    world.program = choosing()
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "x", "title": "clerk"}
    )
    world.person(1, title="Clerk")
    told = await explain_object(world.run(), Lookup(by="guid", value=guid(1)))
    steps = {each["step"]: each for each in told["steps"]}
    (line,) = [each for each in steps["map"]["detail"] if each["target"] == "title"]
    assert line["candidates"] == ["Clerk", "Clerk2", "Clerk3"]
    assert "Clerk2" in str(steps["act"]["detail"])


async def test_ignored_attribute_is_neither_written_nor_cleared(world: World):
    """Neither on create, even with a default value, nor later."""
    ignoring = parse_expression("IgnoreFlowIfNullOrEmpty([title])")
    world.program = with_rule("title", ignoring, default_value="None")
    world.person(1, title="Clerk")
    world.person(2)
    await world.cycle()
    assert titles(world) == {guid(1): "Clerk", guid(2): None}
    world.person(1)
    assert (await world.cycle()).counts.unchanged == 2
    assert titles(world)[guid(1)] == "Clerk"


async def test_ignored_object_is_written_when_its_date_comes(world: World):
    """Only the time changes, nothing in the directory."""
    soon = 'IIF(DateDiff("d", Now(), CDate([title])) <= 1, "soon", IgnoreObjectFlow)'
    world.program = with_rule("title", parse_expression(soon))
    world.person(1, title="2026-11-26")
    world.person(2, title="2026-11-24")
    cycle = await world.cycle()
    assert (cycle.counts.create, cycle.counts.skipped) == (1, 1)
    assert set(world.of("User")) == {guid(2)}
    world.clock.now += timedelta(days=2)
    world.delta = []
    await world.cycle()
    assert titles(world) == {guid(1): "soon", guid(2): "soon"}


async def test_explain_reports_an_ignored_object(world: World):
    world.program = with_rule("title", parse_expression("IgnoreObjectFlow"))
    world.person(1, title="Clerk")
    told = await explain_object(world.run(), Lookup(by="guid", value=guid(1)))
    steps = {each["step"]: each for each in told["steps"]}
    (line,) = [each for each in steps["map"]["detail"] if each["target"] == "title"]
    assert line["outcome"] == "object ignored"
    assert steps["act"]["result"] == "nothing"


async def test_mapping_error_is_the_reason_without_values(world: World):
    error = parse_expression('IIF(IsPresent([title]), [title], Error("No title."))')
    world.program = with_rule("title", error)
    world.person(1)
    await world.cycle()
    (held,) = await world.escrowed()
    assert held.reason == "mapping-fault: title: No title."
