"""Locks of jobs while the registration changes."""

from __future__ import annotations

import pytest

from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Busy
from cloudforest.control_plane.runs import JobRunner


def held_runs() -> JobRunner:
    return JobRunner(store=None, targets=None, clock=system_clock)  # type: ignore[arg-type]


def test_locked_job_cannot_start_a_cycle():
    runs = held_runs()
    with runs.lock_jobs({"people", "groups"}), pytest.raises(Busy, match="people"):
        runs.locks.hold_job("people").__enter__()
    with runs.locks.hold_job("people"):
        pass


def test_running_job_prevents_the_lock_of_all():
    runs = held_runs()
    with (
        runs.locks.hold_job("people"),
        pytest.raises(Busy, match="people"),
        runs.lock_jobs(["groups", "people"]),
    ):
        pytest.fail("it was held")
    assert not runs.locks.is_running("groups")
