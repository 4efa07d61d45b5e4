"""When a job starts: at its interval, and once after missed ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloudforest.provisioning.scheduler import compute_next_start

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=2)


def test_job_that_never_started_starts_immediately():
    assert (
        compute_next_start(previous=None, now=NOON, interval=INTERVAL, jitter=0.5)
        == NOON
    )


def test_job_starts_one_interval_after_its_last_start():
    now = NOON + timedelta(seconds=30)
    start = compute_next_start(previous=NOON, now=now, interval=INTERVAL, jitter=0)
    assert start == NOON + INTERVAL


def test_missed_ticks_become_one_start():
    late = NOON + timedelta(hours=1)
    first = compute_next_start(previous=NOON, now=late, interval=INTERVAL, jitter=0)
    assert first == late
    second = compute_next_start(previous=first, now=late, interval=INTERVAL, jitter=0)
    assert second == late + INTERVAL


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_adds_at_most_ten_percent(jitter):
    start = compute_next_start(
        previous=NOON, now=NOON, interval=INTERVAL, jitter=jitter
    )
    assert NOON + INTERVAL <= start <= NOON + INTERVAL * 1.1
