"""How jobs and their targets stand between cycles."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from cloudforest.model.provisioning import Breaker, JobState, ResetScope, Standing

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
