"""The provisioning log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.provisioning import LogEntry, LogQuery


class Logs(Protocol):
    async def log(self, entries: Sequence[LogEntry]) -> None: ...

    async def log_range(
        self, since: datetime | None, until: datetime | None
    ) -> tuple[int, int]:
        """Return two numbers between which all entries of that time lie, inclusive."""
        ...

    async def logs(
        self, query: LogQuery, *, first: int, last: int, limit: int
    ) -> list[tuple[int, LogEntry]]:
        """Return entries with their numbers, in the order in which they were stored."""
        ...

    async def written(self, cycle: str, picture: str) -> int:
        """Return how many of the pictured the cycle wrote, and nothing of them failed.

        The picture's resources are named by objectGUID.
        """
        ...

    async def prune_log(self, before: datetime, limit: int) -> int:
        """Forget at most so many entries that are older; return how many it were."""
        ...
