"""How jobs and their targets stand between cycles.

Cycles, and the scratch jobs of plans.

The provisioning log.

The provisioning service's store: one method, one transaction.

Ids are objectGUIDs; lists are batches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.cycles import Cycle, LogEntry, LogQuery
from cloudforest.model.jobs import (
    Breaker,
    JobHealth,
    JobState,
    KeyName,
    ResetScope,
    ScratchKey,
)
from cloudforest.model.ports.links import (
    Links,
    MembershipLookups,
    Memberships,
    Snapshots,
)
from cloudforest.model.ports.outbox import Evaluations, Outbox, Stages
from cloudforest.model.ports.sources import Imports, Inquiries, Presences, Sources

JobStateUpdate = Callable[[JobState], JobState]
HealthUpdate = Callable[[JobHealth], JobHealth]
"""How a job and its target stand after a cycle, from how they stood before."""


class Jobs(Protocol):
    async def load_job_states(self) -> dict[str, JobState]:
        """Return the state of each job that ever had one."""
        ...

    async def load_breakers(self) -> dict[str, Breaker]:
        """Return the open breaker of each target that is down."""
        ...

    async def change_job_state(self, job: str, change: JobStateUpdate) -> JobState:
        """Change the job's state in one transaction; return what it is now."""
        ...

    async def restart_job(
        self,
        job: str,
        target: str,
        *,
        resets: Collection[ResetScope],
        change: JobStateUpdate,
        now: datetime,
    ) -> None:
        """Forget what the next cycle is to do without, all or nothing.

        `Watermark`: the next import is a full one; what the scope is bound to is kept,
        unless everything is reset. `Escrows`: all are due, as if never tried.
        `ConnectorDataStore`: what was last written is looked up in the target.
        Rows, links and their origin are kept in any case, so nobody is deprovisioned
        or made twice. `change` is made to the state as by `change_job`.
        """
        ...


class Cycles(Protocol):
    async def start_cycle(self, cycle: Cycle) -> None:
        """Store it; a cycle of this job still called running was cut short: failed."""
        ...

    async def finish_cycle(
        self, cycle: Cycle, update_health: HealthUpdate | None = None
    ) -> None:
        """Store it, and how its job and target stand after it, in one transaction."""
        ...

    async def load_last_cycles(self) -> dict[str, Cycle]:
        """Return the latest cycle of each job."""
        ...

    async def prune_cycles(self, before: datetime, limit: int) -> int:
        """Forget at most so many cycles that started earlier; return how many it were.

        Kept are the latest of each job, and what `has_finished` rests on.
        """
        ...

    async def has_finished_cycle(self, job: str, target: str) -> bool:
        """Return whether a cycle of the job to the target ended without failing."""
        ...

    async def copy_job_data(self, job: KeyName, scratch: ScratchKey) -> None:
        """Start a scratch job with the rows, but not the watermark, of this one."""
        ...

    async def drop_job_data(self, job: ScratchKey) -> None:
        """Forget all that is kept for a (scratch) job, except cycles, links and log."""
        ...

    async def drop_scratch_data(self) -> None:
        """Forget all scratch jobs (`plan:…`) and pictures: nobody works on them."""
        ...


class Logs(Protocol):
    async def save_log_entries(self, entries: Sequence[LogEntry]) -> None: ...

    async def find_log_range(
        self, since: datetime | None, until: datetime | None
    ) -> tuple[int, int]:
        """Return two numbers between which all entries of that time lie, inclusive."""
        ...

    async def list_log_entries(
        self, query: LogQuery, *, first: int, last: int, limit: int
    ) -> list[tuple[int, LogEntry]]:
        """Return entries with their numbers, in the order in which they were stored."""
        ...

    async def count_written(self, cycle: str, snapshot: str) -> int:
        """Return how many of the pictured the cycle wrote, and nothing of them failed.

        The picture's resources are named by objectGUID.
        """
        ...

    async def prune_log(self, before: datetime, limit: int) -> int:
        """Forget at most so many entries that are older; return how many it were."""
        ...


class ProvisioningStore(
    Imports,
    Inquiries,
    Sources,
    Evaluations,
    Presences,
    Links,
    Snapshots,
    Outbox,
    Stages,
    Memberships,
    MembershipLookups,
    Cycles,
    Jobs,
    Logs,
    Protocol,
):
    """All that is kept about jobs, their objects and their cycles."""
