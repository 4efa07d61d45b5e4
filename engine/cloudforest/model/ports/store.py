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
from cloudforest.model.jobs import Breaker, JobState, ResetScope, Standing
from cloudforest.model.ports.links import Belongings, Links, Memberships, Pictures
from cloudforest.model.ports.outbox import Evaluations, Outbox, Stages
from cloudforest.model.ports.sources import Holdings, Imports, Inquiries, Sources

ChangeJob = Callable[[JobState], JobState]
Judge = Callable[[Standing], Standing]
"""How a job and its target stand after a cycle, from how they stood before."""


class Jobs(Protocol):
    async def job_states(self) -> dict[str, JobState]:
        """Return the state of each job that ever had one."""
        ...

    async def breakers(self) -> dict[str, Breaker]:
        """Return the open breaker of each target that is down."""
        ...

    async def change_job(self, job: str, change: ChangeJob) -> JobState:
        """Change the job's state in one transaction; return what it is now."""
        ...

    async def restart_job(
        self,
        job: str,
        target: str,
        *,
        resets: Collection[ResetScope],
        change: ChangeJob,
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

    async def finish_cycle(self, cycle: Cycle, judge: Judge | None = None) -> None:
        """Store it, and how its job and target stand after it, in one transaction."""
        ...

    async def last_cycles(self) -> dict[str, Cycle]:
        """Return the latest cycle of each job."""
        ...

    async def prune_cycles(self, before: datetime, limit: int) -> int:
        """Forget at most so many cycles that started earlier; return how many it were.

        Kept are the latest of each job, and what `has_finished` rests on.
        """
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


class Logs(Protocol):
    async def log(self, entries: Sequence[LogEntry]) -> None: ...

    async def log_range(
        self, since: datetime | None, until: datetime | None
    ) -> tuple[int, int]:
        """Return two numbers between which all entries of that time lie, inclusive."""
        ...

    async def logs(
        self, query: LogQuery, *, first: int, last: int, limit: int
    ) -> list[tuple[int, LogEntry]]:
        """Return entries with their numbers, in the order in which they were stored."""
        ...

    async def written(self, cycle: str, picture: str) -> int:
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
    Holdings,
    Links,
    Pictures,
    Outbox,
    Stages,
    Memberships,
    Belongings,
    Cycles,
    Jobs,
    Logs,
    Protocol,
):
    """All that is kept about jobs, their objects and their cycles."""


__all__ = ["Judge", "ProvisioningStore"]
