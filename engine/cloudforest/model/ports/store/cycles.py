"""Cycles, and the scratch jobs of plans."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cloudforest.model.ports.store.jobs import Judge
from cloudforest.model.provisioning import Cycle


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
