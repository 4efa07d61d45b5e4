"""The documented JSON of agents and jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudforest.control_plane.shapes import shape_agent, shape_job_state
from cloudforest.model.identity import AgentRecord
from cloudforest.model.jobs import JobHealth, JobState, Pause
from cloudforest.model.registration import Job

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "state"),
    [(None, "pending"), (timedelta(), "active"), (timedelta(hours=2), "inactive")],
)
def test_agent_state_follows_from_its_last_bootstrap(since, state):
    record = AgentRecord(
        id="a1",
        name="sync01",
        domains=("contoso.com",),
        last_bootstrap=None if since is None else NOW - since,
        version="0.2.0",
    )
    shape = shape_agent(record, NOW)
    assert {"name", "state", "domains", "lastBootstrap", "version"} <= set(shape)
    assert (shape["name"], shape["state"]) == ("sync01", state)


def test_job_without_a_cycle_shows_its_counts_and_its_pause():
    pause = Pause(since=NOW, by="ann")
    shape = shape_job_state(
        Job(
            name="people",
            domain="contoso.com",
            target="cloud",
            scope="staff",
            mappings=(),
            interval=120,
        ),
        last=None,
        next_start=NOW,
        effects={"escrowed": 2, "staged": 3, "pending": 4},
        health=JobHealth(job_state=JobState(paused=pause), breaker=None),
        running=False,
    )
    assert {"name", "state", "lastCycle", "nextCycle", "escrow", "staged"} <= set(shape)
    assert (shape["escrow"], shape["staged"], shape["paused"]) == (2, 3, pause)
    assert shape["state"] == "paused"
