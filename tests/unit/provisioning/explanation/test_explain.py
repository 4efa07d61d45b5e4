"""Explain shows each step of one object and writes nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import MANAGER, World, guid, program

from cloudforest.base.errors import Refused
from cloudforest.model.messages import Clause, Lookup, OutOfScope, Tombstone
from cloudforest.model.ports.target import Refusal
from cloudforest.provisioning.explanation.explain import explain_object
from cloudforest.provisioning.explanation.scope import NEVER_WRITTEN


async def _steps(
    world: World, number: int, lookup: Lookup | None = None
) -> dict[str, Any]:
    lookup = lookup or Lookup(by="guid", value=guid(number))
    explanation = await explain_object(world.run(), lookup)
    assert explanation["object"] == guid(number)
    assert [each["step"] for each in explanation["steps"]] == [
        "import",
        "scope",
        "match",
        "map",
        "act",
    ]
    return {each["step"]: each for each in explanation["steps"]}


async def test_new_object_would_be_created(world: World):
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


async def test_linked_object_without_difference_needs_nothing(world: World):
    world.person(1)
    await world.cycle()

    steps = await _steps(world, 1)

    assert (steps["match"]["result"], steps["act"]["result"]) == ("linked", "nothing")


async def test_existing_resource_would_be_adopted(world: World):
    world.person(1)
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "p1@contoso.com"}
    )

    steps = await _steps(world, 1)

    assert steps["match"]["detail"]["resource"] == "x"
    assert steps["match"]["detail"]["attempts"] == [
        {"attribute": "externalId", "value": guid(1), "found": 0},
        {"attribute": "userName", "value": "p1@contoso.com", "found": 1},
    ]
    assert steps["act"]["result"] == "adopt"


async def test_object_that_the_agent_cannot_see_is_unknown(world: World):
    steps = await _steps(world, 1)

    assert steps["import"]["result"] == "unknown"
    assert steps["act"]["result"] == "not reached"


async def test_escrowed_object_shows_its_reason(world: World):
    world.person(1)
    await world.cycle()
    altered = msgspec.structs.replace(world.objects[guid(1)], anchor="other")
    world.objects[guid(1)] = altered

    steps = await _steps(world, 1)

    assert steps["act"]["result"] == "escrow"
    assert steps["act"]["detail"]["because"].startswith("anchor-changed")


async def test_target_without_filters_is_listed(world: World):
    class Unfiltered(MemoryTarget):
        async def find(self, *_arguments):
            raise Refusal(400, "The target answered 400 invalidFilter.")

    world.target = Unfiltered()
    world.person(1)
    world.target.resources_by_id["x"] = MemoryResource(
        "User", {"userName": "p1@contoso.com"}
    )

    steps = await _steps(world, 1)

    assert (steps["match"]["result"], steps["act"]["result"]) == ("matched", "adopt")


async def test_object_out_of_scope_shows_each_clause_and_the_reason(world: World):
    clauses = (
        Clause(text="type: user", holds=True),
        Clause(text="organizationalUnits", holds=False),
    )
    world.answers[guid(1)] = OutOfScope(
        id=guid(1), clause="organizationalUnits", clauses=clauses
    )

    steps = await _steps(world, 1)

    assert world.asked[-1].explain
    assert steps["scope"]["result"] == "out"
    assert steps["scope"]["detail"] == {
        "because": "organizationalUnits",
        "clauses": [
            {"clause": "type: user", "holds": True},
            {"clause": "organizationalUnits", "holds": False},
        ],
    }


async def test_unmapped_type_is_named(world: World):
    world.person(1)
    contact = msgspec.structs.replace(world.objects[guid(1)], type="contact")
    world.objects[guid(1)] = contact

    steps = await _steps(world, 1)

    assert '"contact"' in steps["scope"]["detail"]["because"]
    assert steps["act"]["result"] == "not reached"


@pytest.mark.parametrize(
    "lookup",
    [
        Lookup(by="dn", value="CN=P1,DC=contoso,DC=com"),
        Lookup(by="attribute", attribute="title", value="Clerk"),
        Lookup(by="attribute", value="p1@contoso.com"),
    ],
)
async def test_object_is_found_by_dn_attribute_or_upn(world: World, lookup: Lookup):
    world.person(1, title="Clerk")
    world.person(2)

    steps = await _steps(world, 1, lookup)

    assert steps["import"]["detail"]["dn"] == "CN=P1,DC=contoso,DC=com"


async def test_group_is_found_by_its_matching_attribute(world: World):
    world.person(1)
    world.group(20, guid(1), cn="Team")

    steps = await _steps(world, 20, Lookup(by="attribute", value="Team"))

    assert steps["import"]["detail"]["members"] == {"count": 1, "first": [guid(1)]}
    assert steps["act"]["result"] == "create"


async def test_ambiguous_name_is_refused(world: World):
    world.person(1, userprincipalname="x")
    world.group(20, cn="x")

    with pytest.raises(Refused, match=guid(20)):
        await explain_object(world.run(), Lookup(by="attribute", value="x"))


async def test_object_of_another_domain_is_refused(world: World):
    dn = "CN=P1,DC=lab,DC=contoso,DC=com"
    with pytest.raises(Refused, match=r'"lab\.contoso\.com"'):
        await explain_object(world.run(), Lookup(by="dn", value=dn))


async def test_deleted_object_is_found_by_its_former_name(world: World):
    person = world.person(1)
    await world.cycle()
    del world.objects[person]
    world.answers[person] = Tombstone(id=person)

    steps = await _steps(world, 1, Lookup(by="attribute", value="p1@contoso.com"))

    assert steps["import"]["result"] == "gone"
    assert steps["act"]["result"] == "disable"
    (request,) = steps["act"]["detail"]["requests"]
    assert request["body"]["Operations"] == [
        {"op": "replace", "path": "active", "value": False}
    ]


async def test_leaver_would_be_disabled_unless_scope_attributes_are_hidden(
    world: World,
):
    person = world.person(1)
    held = msgspec.structs.replace(world.objects[person], seen=("employeetype",))
    world.objects[person] = held
    await world.cycle()
    world.answers[person] = OutOfScope(id=person, clause="filters.user")

    steps = await _steps(world, 1)
    assert (steps["scope"]["result"], steps["act"]["result"]) == ("out", "disable")

    world.answers[person] = OutOfScope(id=person, rests_on=("employeetype",))
    steps = await _steps(world, 1)
    assert steps["act"]["result"] == "nothing"
    assert "employeetype" in steps["act"]["detail"]["because"]


async def test_object_never_provisioned_loses_nothing(world: World):
    world.answers[guid(1)] = OutOfScope(id=guid(1), clause="organizationalUnits")

    steps = await _steps(world, 1)

    assert steps["act"]["result"] == "nothing"
    assert steps["act"]["detail"]["because"] == NEVER_WRITTEN


async def test_added_and_removed_members_are_counted(world: World):
    one, two, three = (world.person(n) for n in (1, 2, 3))
    group = world.group(20, one, two)
    await world.cycle()
    world.members[group] = {two, three}

    steps = await _steps(world, 20)

    assert steps["act"]["result"] == "members"
    assert steps["act"]["detail"]["members"] == {
        "add": 1,
        "remove": 1,
        "firstAdded": [three],
        "firstRemoved": [one],
    }
    person = await _steps(world, 1)
    assert person["import"]["detail"]["memberOf"] == {
        "count": 1,
        "first": ["CN=G20,DC=contoso,DC=com"],
    }


async def test_sensitive_values_are_not_shown(world: World):
    whole = program()
    users = whole.mappings[0]
    rules = tuple(
        msgspec.structs.replace(each, sensitive=each.target in {"title", "userName"})
        for each in users.rules
    )
    users = msgspec.structs.replace(users, rules=rules)
    world.program = msgspec.structs.replace(
        whole, mappings=(users, *whole.mappings[1:])
    )
    world.person(1, title="canary", userprincipalname="canary@contoso.com")

    explanation = await explain_object(world.run(), Lookup(by="guid", value=guid(1)))

    assert "canary" not in json.dumps(explanation)
    assert explanation["steps"][4]["result"] == "create"


async def test_change_is_shown_as_a_patch_request(world: World):
    boss = world.person(1)
    person = world.person(2, title="Clerk")
    await world.cycle()
    world.person(2, title="Head", manager=boss)

    steps = await _steps(world, 2)

    first, second = steps["act"]["detail"]["requests"]
    assert (first["method"], first["resource"]) == ("PATCH", world.id_of(person))
    assert first["body"]["Operations"] == [
        {"op": "replace", "path": "title", "value": "Head"}
    ]
    assert world.id_of(boss) in json.dumps(second["body"])
