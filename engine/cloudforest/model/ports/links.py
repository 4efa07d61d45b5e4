"""Memberships: what the directory wants against what we wrote.

Links: which resource of the target belongs to which object.

Pictures of a target, in which matching looks.

Who belongs where, for those who ask about one object.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from cloudforest.model.jobs import JobKey, KeyName
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link, MatchValue, Origin, TargetResource


class Memberships(Protocol):
    async def list_membership_changes(
        self,
        jobs: JobKey,
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

    async def retain_written_members(
        self, target: str, group: str, present: Collection[str]
    ) -> None:
        """Count as written only those of the group's members that it really has.

        `present` are resource ids.
        """
        ...

    async def find_emptied_groups(
        self, jobs: JobKey, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        """Return those of the groups that no member is left for or coming to."""
        ...


class Links(Protocol):
    async def load_links(self, target: str, ids: Sequence[str]) -> dict[str, Link]: ...

    async def load_resource_ids(
        self, target: str, ids: Sequence[str]
    ) -> dict[str, str]:
        """Return the resource id of each object that is linked."""
        ...

    async def find_linked_objects(
        self, target: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID that each of these resource ids is linked to."""
        ...

    async def save_observed(
        self, target: str, observed: Sequence[Link], gone: Sequence[str]
    ) -> None:
        """Count as written what the target was found to hold.

        The links of who is `gone` are forgotten with all that was written about them.
        All these objects, and those who refer to the gone, are evaluated again.
        """
        ...

    async def count_links(
        self, target: str, job: str | None, type_: ObjectType | None
    ) -> dict[Origin, int]:
        """Return how many objects are linked, by origin: all of them, or of a job."""
        ...

    async def count_managed(self, job: KeyName, target: str) -> int:
        """Return how many objects of the job are linked, and not yet deprovisioned."""
        ...


class Snapshots(Protocol):
    async def save_snapshot(
        self,
        snapshot: str,
        resource_type: str,
        resources: Sequence[TargetResource],
        paths: Sequence[str],
    ) -> None:
        """Add to a picture of the target; it can be searched by these paths."""
        ...

    async def load_snapshot_resources(
        self, snapshot: str, resource_type: str, resources: Sequence[str]
    ) -> dict[str, TargetResource]:
        """Return those of the resources that the picture has, by their id."""
        ...

    async def clear_snapshot(self, snapshot: str) -> None: ...

    async def find_snapshot_matches(
        self, snapshot: str, resource_type: str, path: str, values: Sequence[MatchValue]
    ) -> dict[str, tuple[TargetResource, ...]]:
        """Return the pictured resources by value of `path`, as `comparable` has it."""
        ...


class MembershipLookups(Protocol):
    async def list_groups_of(
        self, job: KeyName, member: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        """Return of how many groups of the job it is a member; the DNs of the first."""
        ...

    async def load_written_members(self, target: str, group: str) -> frozenset[str]:
        """Return the members that the target holds because we wrote them."""
        ...

    async def load_dns(self, job: KeyName, ids: Sequence[str]) -> dict[str, str]:
        """Return the DN of each of these objects that the job has imported."""
        ...
