"""What the control plane accepts and holds while names change."""

from __future__ import annotations

import pytest

from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Busy
from cloudforest.control_plane.runs import Runs


def held_runs() -> Runs:
    return Runs(store=None, targets=None, clock=system_clock)  # type: ignore[arg-type]


def test_a_job_that_is_held_starts_no_cycle():
    runs = held_runs()
    with runs.held({"people", "groups"}), pytest.raises(Busy, match="people"):
        runs.turns.take("people").__enter__()
    with runs.turns.take("people"):
        pass


def test_a_job_that_runs_is_not_held_and_neither_are_the_others():
    runs = held_runs()
    with (
        runs.turns.take("people"),
        pytest.raises(Busy, match="people"),
        runs.held(["groups", "people"]),
    ):
        pytest.fail("it was held")
    assert not runs.turns.taken("groups")
