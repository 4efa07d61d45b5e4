"""How failed mail is retried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudforest.control_plane.notices import NoticeBackoff

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def waits(backoff):
    """Return the minutes until the next try."""
    return next(
        minute
        for minute in range(120)
        if not backoff.is_waiting("key", NOW + minute * MINUTE)
    )


def test_retries_wait_twice_as_long_each_time_up_to_an_hour():
    backoff = NoticeBackoff()
    pauses = []
    for _ in range(10):
        backoff.record_failure("key", NOW)
        pauses.append(waits(backoff))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert not backoff.is_waiting("other", NOW)
    backoff.record_success("key")
    assert waits(backoff) == 0


def test_rejected_password_waits_an_hour_at_once():
    backoff = NoticeBackoff()
    backoff.record_failure("key", NOW, longest=True)
    assert waits(backoff) == 60
