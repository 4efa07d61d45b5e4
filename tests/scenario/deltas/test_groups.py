"""Groups and members change; the delta of a group never names a deleted member."""

from __future__ import annotations

from tests.support.lab import Lab
from tests.support.sent import (
    Sent,
    change,
    disabled,
    dismissed,
    enabled,
    enlisted,
    patch,
    these,
)


def test_group_is_created_renamed_and_deleted(lab: Lab) -> None:
    anna, bo = lab.people("anna", "bo")
    lab.cycle()

    team = lab.group("team", anna, bo)
    assert lab.cycle() == these(
        lab.created(team, "Group"), enlisted("team", "anna", "bo")
    )
    assert lab.groups() == {"team": {"anna", "bo"}}
    lab.settled()

    team = lab.rename(team, "CN=squad")
    assert lab.requests() == []
    lab.modify(team, displayName=["crew"])
    assert lab.cycle() == [patch("Group", "team", change("displayName", "crew"))]
    lab.settled()

    lab.delete(team)
    lab.cycle()
    assert lab.groups() == {}
    lab.settled()


def test_deleting_an_empty_group_takes_one_request(lab: Lab) -> None:
    team = lab.group("team")
    lab.person("anna")
    lab.cycle()
    lab.delete(team)
    assert lab.cycle() == [Sent("DELETE", "/Groups/team")]
    lab.settled()


def test_members_are_added_and_removed(lab: Lab) -> None:
    anna, bo, cy = lab.people("anna", "bo", "cy")
    team = lab.group("team", anna)
    lab.cycle()

    lab.enlist(team, bo, cy)
    assert lab.cycle() == [enlisted("team", "bo", "cy")]
    lab.dismiss(team, anna)
    assert lab.cycle() == [dismissed("team", "anna")]
    assert lab.groups() == {"team": {"bo", "cy"}}
    lab.settled()

    lab.enlist(team, anna)
    lab.dismiss(team, anna)
    assert lab.requests() == []


def test_deleted_member_returns_to_the_group(lab: Lab) -> None:
    anna, bo = lab.people("anna", "bo")
    team = lab.group("team", anna, bo)
    lab.cycle()
    guid = lab.guid(anna)

    lab.delete(anna)
    assert lab.cycle() == these(disabled("anna"), dismissed("team", "anna"))
    assert lab.groups() == {"team": {"bo"}}
    lab.settled()

    lab.reanimate(guid, anna)
    lab.restore(anna)
    lab.enlist(team, anna)
    assert lab.cycle() == these(enabled("anna"), enlisted("team", "anna"))
    assert lab.groups() == {"team": {"anna", "bo"}}
    lab.settled()


def test_member_leaves_the_scope_and_returns(lab: Lab) -> None:
    lab.declare(lab.staff)
    anna = lab.person("anna", employeeType="staff")
    bo = lab.person("bo", employeeType="staff")
    lab.group("team", anna, bo)
    lab.cycle()

    lab.modify(anna, employeeType=["guest"])
    assert lab.cycle() == these(disabled("anna"), dismissed("team", "anna"))
    lab.settled()

    lab.modify(anna, employeeType=["staff"])
    assert lab.cycle() == these(enabled("anna"), enlisted("team", "anna"))
    assert lab.groups() == {"team": {"anna", "bo"}}
    lab.settled()


def test_member_is_added_once_in_scope(lab: Lab) -> None:
    lab.declare(lab.staff)
    anna = lab.person("anna")
    lab.group("team", anna)
    lab.cycle()
    assert lab.groups() == {"team": set()}

    lab.modify(anna, employeeType=["staff"])
    assert lab.cycle() == these(lab.created(anna), enlisted("team", "anna"))
    lab.settled()


def test_nested_group_is_a_member(lab: Lab) -> None:
    anna = lab.person("anna")
    inner = lab.group("inner", anna)
    outer = lab.group("outer", inner)
    lab.cycle()
    assert lab.groups() == {"inner": {"anna"}, "outer": {"inner"}}

    lab.dismiss(outer, inner)
    assert lab.cycle() == [dismissed("outer", "inner")]
    lab.enlist(outer, inner)
    assert lab.cycle() == [enlisted("outer", "inner")]

    lab.delete(inner)
    lab.cycle()
    assert lab.groups() == {"outer": set()}
    lab.settled()


def test_group_that_enters_the_scope_has_all_its_members(lab: Lab) -> None:
    lab.declare(
        f"organizationalUnits: ['{lab.unit}'], filters: {{group: 'description pr'}}"
    )
    anna, bo = lab.people("anna", "bo")
    team = lab.group("team", anna)
    lab.cycle()
    assert lab.groups() == {}

    lab.enlist(team, bo)
    lab.modify(team, description=["now"])
    assert lab.cycle() == these(
        lab.created(team, "Group"), enlisted("team", "anna", "bo")
    )
    lab.settled()
