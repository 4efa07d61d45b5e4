"""OUs are moved and renamed: DirSync reports only the OU, so we read its people."""

from __future__ import annotations

import pytest
from tests.support.lab import Lab
from tests.support.sent import disabled, enabled, these


@pytest.fixture
def units(lab: Lab) -> tuple[str, str]:
    """An OU in scope, and one out of scope."""
    inside, outside = lab.ou("inside"), lab.ou("outside")
    lab.declare(f"organizationalUnits: ['{inside}']")
    return inside, outside


def test_renamed_unit_in_scope_changes_nothing(
    lab: Lab, units: tuple[str, str]
) -> None:
    berlin = lab.ou("berlin", units[0])
    lab.person("anna", berlin)
    lab.cycle()
    lab.rename(berlin, "OU=Paris")
    assert lab.requests() == []
    assert lab.last["cycle"] == "incremental"


def test_unit_with_subunits_leaves_the_scope_and_returns(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, outside = units
    berlin = lab.ou("berlin", inside)
    mitte = lab.ou("mitte", berlin)
    lab.person("anna", berlin)
    lab.person("bo", mitte)
    lab.person("cy", inside)
    lab.cycle()

    berlin = lab.move(berlin, outside)
    assert lab.cycle() == these(disabled("anna"), disabled("bo"))
    lab.settled()

    lab.move(berlin, inside)
    assert lab.cycle() == these(enabled("anna"), enabled("bo"))
    lab.settled()


def test_unit_with_new_people_enters_the_scope(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, outside = units
    lab.person("anna", inside)
    paris = lab.ou("paris", outside)
    louvre = lab.ou("louvre", paris)
    lab.person("bo", paris)
    lab.person("cy", louvre)
    lab.cycle()

    paris = lab.move(paris, inside)

    assert lab.cycle() == these(
        lab.created(f"CN=bo,{paris}"), lab.created(f"CN=cy,OU=louvre,{paris}")
    )
    lab.settled()


def test_two_nested_units_move_between_two_cycles(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, outside = units
    berlin = lab.ou("berlin", inside)
    mitte = lab.ou("mitte", berlin)
    lab.person("anna", berlin)
    lab.person("bo", mitte)
    lab.cycle()

    lab.move(mitte, outside)
    lab.rename(lab.move(berlin, lab.ou("germany", inside)), "OU=hauptstadt")

    assert lab.cycle() == [disabled("bo")]
    lab.settled()


def test_person_moves_out_of_a_unit_that_also_moves(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, outside = units
    berlin = lab.ou("berlin", inside)
    anna, bo = lab.person("anna", berlin), lab.person("bo", berlin)
    lab.cycle()

    lab.move(anna, inside)
    lab.delete(bo)
    lab.person("cy", berlin)
    lab.move(berlin, outside)

    assert lab.cycle() == [disabled("bo")]
    lab.settled()


def test_scope_follows_its_own_unit_after_rename_and_move(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, outside = units
    anna = lab.person("anna", inside)
    lab.cycle()

    inside = lab.rename(inside, "OU=People")
    assert lab.requests() == []
    inside = lab.move(inside, outside)
    assert lab.requests() == []

    bo = lab.person("bo", inside)
    lab.delete(anna.replace(units[0], inside))
    assert lab.cycle() == these(lab.created(bo), disabled("anna"))
    lab.settled()


def test_new_unit_with_the_name_of_the_scope_unit_is_rejected(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, _ = units
    lab.person("anna", inside)
    lab.cycle()

    lab.rename(inside, "OU=old")
    lab.person("bo", lab.ou("inside"))

    assert lab.requests("failed") == []
    assert "--reset Full" in lab.last["error"]
    assert lab.users()["anna"]["active"]


def test_deleted_unit_of_the_scope_deprovisions_nobody(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, _ = units
    anna = lab.person("anna", inside)
    lab.cycle()
    lab.delete(anna)
    lab.delete(inside)
    assert lab.requests("failed") == []
    assert inside in lab.last["error"]
