"""Locks of jobs while the registration changes."""

from __future__ import annotations

import pytest

from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Busy
from cloudforest.control_plane.runs import JobRunner


def make_runner() -> JobRunner:
    return JobRunner(None, None, None, None, system_clock)  # type: ignore[arg-type]


def test_locked_job_cannot_start_a_cycle():
    runner = make_runner()
    with runner.lock_jobs({"people", "groups"}), pytest.raises(Busy, match="people"):
        runner.locks.hold_job("people").__enter__()
    with runner.locks.hold_job("people"):
        pass


def test_running_job_prevents_the_lock_of_all():
    runner = make_runner()
    with (
        runner.locks.hold_job("people"),
        pytest.raises(Busy, match="people"),
        runner.lock_jobs(["groups", "people"]),
    ):
        pytest.fail("the jobs were locked")
    assert not runner.locks.is_running("groups")
