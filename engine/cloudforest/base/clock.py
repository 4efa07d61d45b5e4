"""Where the time comes from, and how long to wait after failures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
Monotonic = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

_MAX_DOUBLINGS = 20
"""Far above each `longest`, so that no delay overflows."""


def system_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Backoff:
    """Waits after failures in a row: `first`, doubled each time, at most `longest`.

    `jitter` is the share of a delay by which chance changes it; below 0, it shortens.
    """

    first: timedelta
    longest: timedelta
    jitter: float = 0.0

    def delay(self, failures: int, chance: float = 0.0) -> timedelta:
        """Return the wait after this many failures (1, 2, …); `chance`: 0 to 1."""
        doublings = min(failures - 1, _MAX_DOUBLINGS)
        whole = min(self.first * (1 << doublings), self.longest)
        return whole * (1 + self.jitter * chance)
