"""Explain says each step of one object and writes nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.provisioning.world import MANAGER, World, guid

from cloudforest.adapters.memory_target import MemoryTarget, Resource
from cloudforest.model.messages import Lookup
from cloudforest.model.outcomes import Refusal
from cloudforest.provisioning.explaining.explain import explain


async def _steps(world: World, number: int) -> dict[str, Any]:
    told = await explain(world.run(), Lookup(by="guid", value=guid(number)))
    assert told["object"] == guid(number)
    assert [each["step"] for each in told["steps"]] == [
        "import",
        "scope",
        "match",
        "map",
        "act",
    ]
    return {each["step"]: each for each in told["steps"]}


async def test_a_new_object_would_be_created(world: World):
    world.person(1, title="Clerk", manager=guid(9))

    steps = await _steps(world, 1)

    results = {name: step["result"] for name, step in steps.items()}
    assert results == {
        "import": "found",
        "scope": "in",
        "match": "none",
        "map": "mapped",
        "act": "create",
    }
    lines = {each["target"]: each for each in steps["map"]["detail"]}
    assert lines["title"] == {
        "target": "title",
        "expression": "[title]",
        "inputs": {"title": ["Clerk"]},
        "result": "Clerk",
    }
    act = steps["act"]["detail"]
    assert {"path": "title", "before": None, "after": "Clerk"} in act["changes"]
    (request,) = act["requests"]
    assert (request["method"], request["resourceType"]) == ("POST", "User")
    assert request["body"]["title"] == "Clerk"
    assert world.target.writes == []
    assert lines[MANAGER]["result"] == (guid(9),)
    assert lines["externalId"]["inputs"] == {"sourceanchor": [guid(1)]}


async def test_a_linked_object_without_difference_needs_nothing(world: World):
    world.person(1)
    await world.cycle()

    steps = await _steps(world, 1)

    assert (steps["match"]["result"], steps["act"]["result"]) == ("linked", "nothing")


async def test_an_object_that_is_there_would_be_adopted(world: World):
    world.person(1)
    world.target.held["x"] = Resource("User", {"userName": "p1@contoso.com"})

    steps = await _steps(world, 1)

    assert steps["match"]["detail"]["resource"] == "x"
    assert steps["match"]["detail"]["attempts"] == [
        {"attribute": "externalId", "value": guid(1), "found": 0},
        {"attribute": "userName", "value": "p1@contoso.com", "found": 1},
    ]
    assert steps["act"]["result"] == "adopt"


async def test_what_the_agent_cannot_see_is_unknown(world: World):
    steps = await _steps(world, 1)

    assert steps["import"]["result"] == "unknown"
    assert steps["act"]["result"] == "not reached"


async def test_what_a_cycle_would_hold_back_is_told(world: World):
    world.person(1)
    await world.cycle()
    altered = msgspec.structs.replace(world.objects[guid(1)], anchor="other")
    world.objects[guid(1)] = altered

    steps = await _steps(world, 1)

    assert steps["act"]["result"] == "escrow"
    assert steps["act"]["detail"]["because"].startswith("anchor-changed")


async def test_a_target_that_cannot_filter_is_read_whole(world: World):
    class Unfiltered(MemoryTarget):
        async def find(self, *_arguments):
            raise Refusal(400, "The target answered 400 invalidFilter.")

    world.target = Unfiltered()
    world.person(1)
    world.target.held["x"] = Resource("User", {"userName": "p1@contoso.com"})

    steps = await _steps(world, 1)

    assert (steps["match"]["result"], steps["act"]["result"]) == ("matched", "adopt")
