"""Source rows: the objects of a job as last imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.provisioning import SourceRow


class Sources(Protocol):
    async def sources(
        self, job: str, target: str, after: str, limit: int
    ) -> list[SourceRow]:
        """Return in-scope rows in order of id, those after `after`."""
        ...

    async def source(self, job: str, id: str) -> SourceRow | None: ...  # noqa: A002

    async def known(self, job: str, target: str, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the objects that are in scope of the job or linked."""
        ...
