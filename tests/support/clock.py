"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import datetime


class ManualClock:
    """A clock that shows what a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now
