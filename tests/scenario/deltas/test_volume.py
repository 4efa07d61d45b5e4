"""Five thousand people, members of one group and changes in one cycle."""

from __future__ import annotations

import pytest
from tests.support.lab import FILL, Lab

SIZE = 5_000


def _fill(lab: Lab, title: str = "") -> None:
    lab.service.samba.locally(FILL, lab.unit, str(SIZE), title)


@pytest.mark.long
def test_thousands_of_people_are_created_changed_and_removed(lab: Lab) -> None:
    _fill(lab)
    lab.cycle()
    assert lab.last["counts"]["create"] == SIZE + 1
    assert lab.last["counts"]["memberAdd"] == SIZE
    assert len(lab.groups()["crowd"]) == SIZE
    lab.settled()

    _fill(lab, title="Engineer")
    lab.cycle()
    assert lab.last["counts"]["update"] == SIZE
    assert {each["title"] for each in lab.target.users()} == {"Engineer"}
    lab.settled()

    lab.dismiss(f"CN=crowd,{lab.unit}", f"CN=v7,{lab.unit}")
    assert len(lab.cycle()) == 1
    assert len(lab.groups()["crowd"]) == SIZE - 1
    lab.settled()
