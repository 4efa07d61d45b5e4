"""The provisioning service's store: each method is one transaction.

Ids are objectGUIDs. Lists are batches.
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
    ReadKey,
    ResetScope,
    ScratchKey,
)
from cloudforest.model.ports.links import Links
from cloudforest.model.ports.outbox import Outbox
from cloudforest.model.ports.sources import Sources

JobStateUpdate = Callable[[JobState], JobState]
HealthUpdate = Callable[[JobHealth], JobHealth]
"""Returns the health of a job and its target after a cycle, given that before it."""


class Jobs(Protocol):
    """The state of jobs and targets between cycles, the cycles, and the log.

    A scratch job holds the data of a plan.
    """

    async def load_job_states(self) -> dict[str, JobState]:
        """Return the state of each job that ever had one."""

    async def load_breakers(self) -> dict[str, Breaker]:
        """Return the open breaker of each target that is down."""

    async def change_job_state(self, job: str, change: JobStateUpdate) -> JobState:
        """Change the job's state in one transaction; return the new state."""

    async def restart_job(
        self,
        job: str,
        target: str,
        *,
        resets: Collection[ResetScope],
        change: JobStateUpdate,
        now: datetime,
    ) -> None:
        """Reset what the next cycle starts from, and change the job's state.

        `Watermark`: the next import is a full one; the scope's bindings are kept,
        unless everything is reset. `Escrows`: all escrowed effects are due, as if never
        tried. `ConnectorDataStore`: the next cycle reads what the target holds instead
        of relying on what was last written. Rows, links and origins are always kept,
        so that nobody is deprovisioned or created twice.
        """

    async def start_cycle(self, started: Cycle) -> None:
        """Store a new cycle; cycles of the job that were still running have failed."""

    async def finish_cycle(self, finished: Cycle, update_health: HealthUpdate) -> None:
        """Store the cycle and the health of its job and target in one transaction."""

    async def load_last_cycles(self) -> dict[str, Cycle]:
        """Return the latest cycle of each job."""

    async def prune_cycles(self, before: datetime, limit: int) -> int:
        """Forget at most `limit` cycles that started before; return the number.

        The latest cycle of each job and those that `has_finished_cycle` relies on are
        kept.
        """

    async def has_finished_cycle(self, job: str, target: str) -> bool:
        """Return whether a cycle of the job to the target ended without failing."""

    async def copy_job_data(self, job: ReadKey, scratch: ScratchKey) -> None:
        """Start a scratch job with the job's rows, but without its watermark."""

    async def drop_job_data(self, job: ScratchKey) -> None:
        """Forget all data of a (scratch) job except cycles, links and log."""

    async def drop_scratch_data(self) -> None:
        """Forget all scratch jobs (`plan:…`) and snapshots, which nobody uses now."""

    async def save_log_entries(self, entries: Sequence[LogEntry]) -> None: ...

    async def find_log_range(
        self, since: datetime | None, until: datetime | None
    ) -> tuple[int, int]:
        """Return two numbers that enclose all entries of that time, inclusive."""

    async def list_log_entries(
        self, query: LogQuery, *, first: int, last: int, limit: int
    ) -> list[tuple[int, LogEntry]]:
        """Return entries with their numbers, in the order in which they were stored."""

    async def count_written(self, cycle: str, snapshot: str) -> int:
        """Count the objects of the snapshot that the cycle wrote without a failure.

        The snapshot's resources are named by objectGUID.
        """

    async def prune_log(self, before: datetime, limit: int) -> int:
        """Forget at most `limit` entries that are older; return the number."""


class ProvisioningStore(Sources, Links, Outbox, Jobs, Protocol):
    """All that is kept about jobs, their objects and their cycles."""
