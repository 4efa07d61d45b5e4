"""Memberships: what the directory wants against what we wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Memberships(Protocol):
    async def membership_changes(
        self, job: str, target: str, after: tuple[str, str], limit: int
    ) -> list[tuple[str, str, bool]]:
        """Return (group, member, wanted) where it differs from what the target got.

        Both ends are in scope of the job or linked. In order of group and member.
        """
        ...

    async def emptied_groups(
        self, job: str, target: str, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        """Return those of the groups that no member is left for or coming to."""
        ...
