"""The groups of a scope change: people arrive although the delta does not name them."""

from __future__ import annotations

import pytest
from tests.support.lab import Lab
from tests.support.sent import (
    change,
    disabled,
    dismissed,
    enabled,
    enlisted,
    patch,
    these,
)


@pytest.fixture
def staff(lab: Lab) -> str:
    """The group of the scope, outside the unit. Members: anna and bo, not cy."""
    anna, bo, _ = lab.people("anna", "bo", "cy")
    group = lab.group("staff", anna, bo)
    declare(lab, group)
    lab.cycle()
    assert lab.groups() == {"staff": {"anna", "bo"}}
    return group


def declare(lab: Lab, group: str, *, nested: bool = False) -> None:
    flag = ", nestedGroups: true" if nested else ""
    lab.declare(f"organizationalUnits: all, groups: ['{group}']{flag}")


def test_member_enters_and_leaves_and_returns(lab: Lab, staff: str) -> None:
    anna, cy = f"CN=anna,{lab.unit}", f"CN=cy,{lab.unit}"
    lab.enlist(staff, cy)
    assert lab.cycle() == these(lab.created(cy), enlisted("staff", "cy"))
    lab.settled()

    lab.dismiss(staff, anna)
    assert lab.cycle() == these(disabled("anna"), dismissed("staff", "anna"))
    lab.settled()

    lab.modify(anna, title=["Unseen meanwhile"])
    assert lab.requests() == []
    lab.modify(anna, title=[])
    lab.enlist(staff, anna)
    assert lab.cycle() == these(enabled("anna"), enlisted("staff", "anna"))
    assert lab.groups() == {"staff": {"anna", "bo", "cy"}}
    lab.settled()


def test_group_is_renamed_and_moved(lab: Lab, staff: str) -> None:
    staff = lab.rename(staff, "CN=everybody")
    assert lab.requests() == []
    staff = lab.move(staff, lab.ou("groups"))
    assert lab.requests() == []
    lab.modify(staff, displayName=["everybody"])
    lab.enlist(staff, f"CN=cy,{lab.unit}")
    assert lab.cycle() == these(
        patch("Group", "staff", change("displayName", "everybody")),
        lab.created(f"CN=cy,{lab.unit}"),
        enlisted("staff", "cy"),
    )
    lab.settled()


def test_deleted_group_deprovisions_nobody(lab: Lab, staff: str) -> None:
    lab.delete(staff)
    assert lab.requests("failed") == []
    assert "CN=staff" in lab.last["error"]
    assert all(each["active"] for each in lab.users().values())

    anna, bo = f"CN=anna,{lab.unit}", f"CN=bo,{lab.unit}"
    lab.group("staff", anna, bo)
    assert lab.requests("failed") == []
    assert "--reset Full" in lab.last["error"]


def test_nested_members_follow_the_setting(lab: Lab, staff: str) -> None:
    cy = f"CN=cy,{lab.unit}"
    lab.enlist(staff, lab.group("inner", cy))
    assert lab.requests() == []

    declare(lab, staff, nested=True)
    assert lab.cycle() == [lab.created(cy)]
    lab.settled()

    dee = lab.person("dee")
    lab.enlist(f"CN=inner,{lab.unit}", dee)
    assert lab.cycle() == [lab.created(dee)]
    lab.dismiss(f"CN=inner,{lab.unit}", cy)
    assert lab.cycle() == [disabled("cy")]
    lab.settled()

    declare(lab, staff)
    assert lab.cycle() == [disabled("dee")]
    lab.settled()


def test_hidden_members_of_a_scope_group_stay_unknown(lab: Lab, staff: str) -> None:
    lab.service.samba.hide("svc-sync", "member", staff)
    lab.dismiss(staff, f"CN=anna,{lab.unit}", f"CN=bo,{lab.unit}")
    lab.cycle()
    assert all(each["active"] for each in lab.users().values())
    assert lab.service.status(lab.name)["unknown"] == 2
    lab.settled()


def test_empty_scope_group_disables_its_former_members(lab: Lab, staff: str) -> None:
    lab.dismiss(staff, f"CN=anna,{lab.unit}", f"CN=bo,{lab.unit}")
    sent = lab.cycle()
    assert sent == these(
        disabled("anna"), disabled("bo"), dismissed("staff", "anna", "bo")
    )
    assert lab.service.status(lab.name)["unknown"] == 0
    lab.settled()
