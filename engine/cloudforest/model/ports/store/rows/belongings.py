"""Who belongs where, for those who ask about one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Belongings(Protocol):
    async def groups_of(
        self, job: str, member: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        """Return of how many groups of the job it is a member; the DNs of the first."""
        ...

    async def written_members(self, target: str, group: str) -> frozenset[str]:
        """Return the members that the target holds because we wrote them."""
        ...

    async def dns(self, job: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the DN of each of these objects that the job has imported."""
        ...
