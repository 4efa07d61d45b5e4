"""OUs move and are renamed: DirSync reports the OU only, its people are asked for."""

from __future__ import annotations

import pytest
from tests.support.lab import Lab
from tests.support.sent import disabled, enabled, these


@pytest.fixture
def units(lab: Lab) -> tuple[str, str]:
    """An OU in scope, and one out of it."""
    inside, outside = lab.ou("inside"), lab.ou("outside")
    lab.declare(f"organizationalUnits: ['{inside}']")
    return inside, outside


def test_a_rename_within_the_scope_is_no_change(
    lab: Lab, units: tuple[str, str]
) -> None:
    berlin = lab.ou("berlin", units[0])
    lab.person("anna", berlin)
    lab.cycle()
    lab.rename(berlin, "OU=Paris")
    assert lab.requests() == []
    assert lab.last["cycle"] == "incremental"


def test_a_unit_with_units_below_leaves_the_scope_and_comes_back(
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


def test_a_unit_of_strangers_comes_into_scope(lab: Lab, units: tuple[str, str]) -> None:
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


def test_somebody_moves_out_of_a_unit_that_moves_as_well(
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


def test_the_scopes_own_unit_is_renamed_and_moved_and_still_followed(
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


def test_another_unit_of_the_same_name_is_not_taken_for_the_scopes_own(
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


def test_a_deleted_unit_of_the_scope_deprovisions_nobody(
    lab: Lab, units: tuple[str, str]
) -> None:
    inside, _ = units
    anna = lab.person("anna", inside)
    lab.cycle()
    lab.delete(anna)
    lab.delete(inside)
    assert lab.requests("failed") == []
    assert inside in lab.last["error"]
