"""Memberships: what the directory wants against what we wrote."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import TargetJobs


class Memberships(Protocol):
    async def membership_changes(
        self,
        jobs: TargetJobs,
        cycle: str,
        types: Sequence[ObjectType],
        after: tuple[str, str],
        limit: int,
    ) -> list[tuple[str, str, bool]]:
        """Return (group, member, wanted) where it differs from what the target got.

        A membership is wanted while the directory wants it, the job holds the group (if
        `types` has groups) and one of the jobs the member. It is not wanted any more
        when the directory says so, or when the job has lost the member, nobody holds
        it, its type is one of `types`, and nothing holds back its own deprovisioning.
        In order of group and member.
        """
        ...

    async def keep_written(
        self, target: str, group: str, present: Collection[str]
    ) -> None:
        """Count as written only those of the group's members that it really has.

        `present` are resource ids.
        """
        ...

    async def emptied_groups(
        self, jobs: TargetJobs, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        """Return those of the groups that no member is left for or coming to."""
        ...
