"""The provisioning service's store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.messages import Record
from cloudforest.model.provisioning import (
    Cycle,
    Effect,
    Link,
    LogEntry,
    Outcome,
    SourceRow,
    TargetResource,
    Watermark,
)


class ProvisioningStore(Protocol):
    """One method, one transaction. Ids are objectGUIDs; lists are batches."""

    async def watermark(self, job: str) -> Watermark | None: ...

    async def begin_import(self, job: str, cycle: str) -> int:
        """Return the generation under which this import's rows are stored."""
        ...

    async def save_page(
        self,
        job: str,
        generation: int,
        records: Sequence[Record],
        cursor: Watermark | None,
    ) -> None:
        """Store a page's rows and memberships and, if any, its durable cursor."""
        ...

    async def finish_import(
        self, job: str, generation: int, watermark: Watermark, *, full: bool
    ) -> None:
        """Store the watermark.

        After a full read a group has no older members, and an object that it did not
        name counts only while it is linked.
        """
        ...

    async def sources(
        self, job: str, target: str, after: str, limit: int
    ) -> list[SourceRow]:
        """Return in-scope rows in order of id, those after `after`."""
        ...

    async def source(self, job: str, id: str) -> SourceRow | None: ...  # noqa: A002

    async def known(self, job: str, target: str, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the objects that are in scope of the job or linked."""
        ...

    async def links(self, target: str, ids: Sequence[str]) -> dict[str, Link]: ...

    async def resource_ids(self, target: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the resource id of each object that is linked."""
        ...

    async def managed(self, job: str, target: str) -> int:
        """Return how many objects of the job are linked."""
        ...

    async def save_snapshot(
        self,
        picture: str,
        resource_type: str,
        resources: Sequence[TargetResource],
        paths: Sequence[str],
    ) -> None:
        """Add to a picture of the target; it can be searched by these paths."""
        ...

    async def clear_snapshot(self, picture: str) -> None: ...

    async def matches(
        self, picture: str, resource_type: str, path: str, values: Sequence[str]
    ) -> dict[str, tuple[TargetResource, ...]]:
        """Return the pictured resources by value of `path`, compared as in `find`."""
        ...

    async def linked_resources(
        self, target: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID that each of these resource ids is linked to."""
        ...

    async def effects(self, job: str, keys: Sequence[str]) -> dict[str, Effect]: ...

    async def save_effects(
        self, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        """Put effects into the outbox, each in place of the one with its key."""
        ...

    async def drop_effects(self, job: str, cycle: str) -> None:
        """Forget the effects that this cycle did not save again."""
        ...

    async def remove_effects(self, job: str, keys: Sequence[str]) -> None: ...

    async def coming(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return those of the objects that this cycle is to write, as not held back.

        The value is the resource that is there already; None: it is to be created.
        """
        ...

    async def claimed(
        self, job: str, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID for which this cycle is to adopt each resource."""
        ...

    async def pending(
        self, job: str, cycle: str, phase: int, *, after: str, limit: int
    ) -> list[Effect]:
        """Return a cycle's pending effects of a phase by key, those after `after`."""
        ...

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

    async def record(
        self,
        job: str,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
    ) -> None:
        """Store links, memberships, effect states and log in one transaction.

        A group that is linked anew has no memberships that we wrote. Raises
        `model.outcomes.AlreadyLinked`, and stores nothing, if a resource is another's.
        """
        ...

    async def log(self, entries: Sequence[LogEntry]) -> None: ...

    async def logs(
        self,
        *,
        job: str | None = None,
        object: str | None = None,  # noqa: A002
        after: int = 0,
        limit: int = 1000,
    ) -> list[tuple[int, LogEntry]]: ...

    async def start_cycle(self, cycle: Cycle) -> None:
        """Store it; a cycle of this job still called running was cut short: failed."""
        ...

    async def finish_cycle(self, cycle: Cycle) -> None: ...

    async def last_cycles(self) -> dict[str, Cycle]:
        """Return the latest cycle of each job."""
        ...

    async def has_finished(self, job: str, target: str) -> bool:
        """Return whether a cycle of the job to the target ended without failing."""
        ...

    async def copy_job(self, job: str, scratch: str) -> None:
        """Start a scratch job with the rows, but not the watermark, of this one."""
        ...

    async def drop_job(self, job: str) -> None:
        """Forget all that is kept for a (scratch) job, except cycles, links and log."""
        ...

    async def drop_scratch(self) -> None:
        """Forget all scratch jobs (`plan:…`) and pictures: nobody works on them."""
        ...

    async def escrowed(self, job: str) -> list[Effect]: ...

    async def effect_counts(self) -> dict[str, dict[str, int]]:
        """Return per job the number of effects by state."""
        ...
