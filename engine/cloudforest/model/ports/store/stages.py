"""Stages and allowances, and what each budget has borne."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.provisioning import Allowance, LogEntry, Stage, StagedEffect


class Stages(Protocol):
    async def save_stage(self, stage: Stage) -> None:
        """Store a stage with the effects of its cycle that name it."""
        ...

    async def stages(self, job: str | None = None) -> list[Stage]:
        """Return the stages that nobody has done with, the oldest first."""
        ...

    async def staged_effects(
        self, stage: str, after: str, limit: int
    ) -> list[StagedEffect]:
        """Return what a stage holds by key, those after `after`."""
        ...

    async def unwanted(
        self, job: str, cycle: str, stage: str, limit: int
    ) -> list[StagedEffect]:
        """Return effects of a stage that this cycle does not want any more."""
        ...

    async def forget_staged(
        self, stage: str, keys: Sequence[str], log: Sequence[LogEntry]
    ) -> None: ...

    async def close_stages(self, job: str, now: datetime) -> None:
        """Close, with their allowances, the stages none of whose effects is left.

        What is in escrow because a stage holds what it needs is due then.
        """
        ...

    async def discard(self, stage: Stage, now: datetime) -> int:
        """Propose no longer what the stage holds; return how many effects.

        What is in escrow because of the stage is due.
        """
        ...

    async def allow(self, allowance: Allowance) -> None: ...

    async def allowances(self, now: datetime) -> list[Allowance]:
        """Return those that have not ended."""
        ...

    async def spent(self, job: str, guard: str, since: datetime) -> int:
        """Return how many effects of a budget were written; forget those before."""
        ...
