"""When a request may go: our own limit, what the service asks for, the breaker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cloudforest.base.clock import Sleep
from cloudforest.base.errors import TargetUnavailable

ATTEMPTS = 3
"""How often a request is sent before its failure is believed."""
FIRST_DELAY = 0.25
LONGEST_WAIT = 120.0
"""Seconds that one request may wait in all because the service asked for it."""
DEFAULT_WAIT = 1.0
"""Seconds to wait when a service says 429 and not for how long."""
SHORTEST_WAIT = 0.5
THRESHOLD = 10
"""Failures in a row, of any requests, after which the service counts as down."""

Monotonic = Callable[[], float]


def backoff(attempt: int) -> float:
    """Return the seconds to wait after this attempt (1, 2, …) went wrong."""
    return float(FIRST_DELAY * 2 ** (attempt - 1))


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date; None if unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


class Pace:
    """Shared by all requests to a target: one that is told to wait, holds all."""

    def __init__(
        self, per_second: float | None, *, sleep: Sleep, monotonic: Monotonic
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._sleep = sleep
        self._monotonic = monotonic

    def hold(self, seconds: float) -> None:
        """Let nothing go for so long."""
        self._next = max(self._next, self._monotonic() + seconds)

    async def turn(self) -> None:
        now = self._monotonic()
        slot = max(now, self._next)
        self._next = slot + self._interval if self._interval else self._next
        if slot > now:
            await self._sleep(slot - now)


class Breaker:
    """Ends a cycle whose target is down; the next one has a breaker of its own."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._failures = 0
        self._last = ""

    def check(self) -> None:
        """Raise Unavailable if the service counts as down."""
        if self._failures >= THRESHOLD:
            raise TargetUnavailable(
                f"{self._place} is down: {THRESHOLD} requests in a row failed, the last"
                f" one because {self._last}; see that it runs and try again."
            )

    def success(self) -> None:
        self._failures = 0

    def failure(self, because: str) -> None:
        """Count a failure; `because` completes "failed because …"."""
        self._failures += 1
        self._last = because
