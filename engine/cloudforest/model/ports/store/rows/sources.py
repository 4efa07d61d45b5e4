"""Source rows: the objects of a job as last imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.provisioning import SourceRow


class Sources(Protocol):
    async def sources(
        self,
        job: str,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceRow]:
        """Return rows in order of id, those after `after`.

        They are in scope; or, while they are linked, unknown, out of scope or gone.
        Those that are settled under the digest `settled` are left out.
        """
        ...

    async def source(self, job: str, id: str) -> SourceRow | None:  # noqa: A002
        """Return the row, whatever its state."""
        ...

    async def known(self, job: str, target: str, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the objects that are in scope of the job or linked."""
        ...

    async def unknown_objects(
        self, job: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        """Return how many objects are unknown, and the first of them.

        Those count who show less than before, and nothing proves what they lack.
        """
        ...
