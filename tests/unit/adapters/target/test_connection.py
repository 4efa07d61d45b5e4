"""Waits and the circuit breaker of a target connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudforest.adapters.target.connection import (
    FAILURE_THRESHOLD,
    CircuitBreaker,
    parse_retry_after,
)
from cloudforest.base.errors import Unavailable

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0),
        (" 120 ", 120),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 0),
    ],
)
def test_retry_after_accepts_seconds_or_a_date(header, seconds):
    assert parse_retry_after(header, NOW) == seconds


def test_breaker_opens_after_failures_in_a_row():
    breaker = CircuitBreaker("The target cloud")
    for _ in range(FAILURE_THRESHOLD - 1):
        breaker.record_failure("answered 500")
    breaker.record_success()
    for _ in range(FAILURE_THRESHOLD):
        breaker.check()
        breaker.record_failure("answered 500")
    with pytest.raises(Unavailable, match="the last one: answered 500"):
        breaker.check()
