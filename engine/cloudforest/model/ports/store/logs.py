"""The provisioning log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.provisioning import LogEntry


class Logs(Protocol):
    async def log(self, entries: Sequence[LogEntry]) -> None: ...

    async def logs(
        self,
        *,
        job: str | None = None,
        object: str | None = None,  # noqa: A002
        after: int = 0,
        limit: int = 1000,
    ) -> list[tuple[int, LogEntry]]: ...
