"""When to try again what failed: sooner at first, later each time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FIRST = timedelta(minutes=1)
LONGEST = timedelta(hours=1)
_DOUBLINGS = 6


@dataclass
class Backoff:
    """Remembers failures by a key, in memory: a restart tries at once."""

    _failures: dict[Hashable, int] = field(default_factory=dict)
    _until: dict[Hashable, datetime] = field(default_factory=dict)

    def waits(self, key: Hashable, now: datetime) -> bool:
        return key in self._until and now < self._until[key]

    def failed(self, key: Hashable, now: datetime, *, longest: bool = False) -> None:
        """Wait 1 minute, doubling to an hour; `longest`: an hour at once."""
        failures = self._failures.get(key, 0)
        pause = min(FIRST * (1 << min(failures, _DOUBLINGS)), LONGEST)
        self._failures[key] = failures + 1
        self._until[key] = now + (LONGEST if longest else pause)

    def worked(self, key: Hashable) -> None:
        self._failures.pop(key, None)
        self._until.pop(key, None)
