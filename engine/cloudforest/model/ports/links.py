"""The store's links, memberships and target snapshots."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from cloudforest.model.jobs import JobKey, ReadKey
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link, MatchValue, Origin, TargetResource


class Links(Protocol):
    """What belongs to source objects in a target: resources and memberships.

    A snapshot is a copy of a target's resources in which matching looks.
    """

    async def load_links(self, target: str, ids: Sequence[str]) -> dict[str, Link]: ...

    async def load_resource_ids(
        self, target: str, ids: Sequence[str]
    ) -> dict[str, str]:
        """Return the resource id of each object that is linked."""

    async def find_linked_objects(
        self, target: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID that each of these resource ids is linked to."""

    async def save_observed(
        self, target: str, observed: Sequence[Link], gone: Sequence[str]
    ) -> None:
        """Store what the target holds as last written.

        The links of the `gone` objects are forgotten, with all that was written about
        them. All these objects, and those that refer to the gone ones, are evaluated
        again.
        """

    async def count_links(
        self, target: str, job: str | None, type_: ObjectType | None
    ) -> dict[Origin, int]:
        """Count the linked objects by origin; None for `job` and `type_` means all."""

    async def count_managed(self, job: ReadKey, target: str) -> int:
        """Count the job's objects that are linked and not yet deprovisioned."""

    async def list_membership_changes(
        self,
        jobs: JobKey,
        cycle: str,
        types: Sequence[ObjectType],
        after: tuple[str, str],
        limit: int,
    ) -> list[tuple[str, str, bool]]:
        """Return (group, member, wanted) where the target needs a change, in order.

        A membership is wanted while the directory has it, the job holds the group (if
        `types` includes groups) and one of the jobs holds the member. It is no longer
        wanted when the directory removed it. It is also no longer wanted when the job
        has lost the member, no job holds it, its type is one of `types`, and its own
        deprovisioning is not held back.
        """

    async def retain_written_members(
        self, target: str, group: str, present: Collection[str]
    ) -> None:
        """Forget the written members of the group that the target does not have.

        `present` are the resource ids of the members that it has.
        """

    async def find_emptied_groups(
        self, jobs: JobKey, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        """Return which of the groups have no member left and get no new one."""

    async def list_groups_of(
        self, job: ReadKey, member: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        """Return how many of the job's groups have the member, and the first DNs."""

    async def load_written_members(self, target: str, group: str) -> frozenset[str]:
        """Return the members that the target has because we wrote them."""

    async def load_dns(self, job: ReadKey, ids: Sequence[str]) -> dict[str, str]:
        """Return the DN of each of these objects that the job has imported."""

    async def save_snapshot(
        self,
        snapshot: str,
        resource_type: str,
        resources: Sequence[TargetResource],
        paths: Sequence[str],
    ) -> None:
        """Add resources to a snapshot of the target, searchable by these paths."""

    async def load_snapshot_resources(
        self, snapshot: str, resource_type: str, resources: Sequence[str]
    ) -> dict[str, TargetResource]:
        """Return the resources that the snapshot has, by id."""

    async def clear_snapshot(self, snapshot: str) -> None: ...

    async def find_snapshot_matches(
        self, snapshot: str, resource_type: str, path: str, values: Sequence[MatchValue]
    ) -> dict[str, tuple[TargetResource, ...]]:
        """Return the snapshot's resources by their value of `path`.

        The keys are those of `program.mapping.desired.make_match_key`.
        """
