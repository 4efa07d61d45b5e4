"""The outbox: effects, from intention to outcome.

Stages and allowances, and what each budget has borne.

Evaluations: which rows must be looked at, and what was found to be needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import Effect, EvaluatedBatch, Outcome
from cloudforest.model.jobs import KeyName
from cloudforest.model.stages import Allowance, BudgetCharge, Stage, StagedEffect


class Outbox(Protocol):
    async def load_effects(
        self, job: KeyName, keys: Sequence[str]
    ) -> dict[str, Effect]: ...

    async def save_effects(
        self, job: KeyName, cycle: str, effects: Sequence[Effect]
    ) -> None:
        """Put effects into the outbox, each in place of the one with its key."""
        ...

    async def mark_sent(self, job: KeyName, keys: Sequence[str], *, sent: bool) -> None:
        """Say of effects whether their creation may have reached the target."""
        ...

    async def drop_stale_effects(
        self, job: KeyName, cycle: str, *, only_object: str | None = None
    ) -> None:
        """Forget the effects (`only` of one object) that this cycle did not save."""
        ...

    async def remove_effects(self, job: KeyName, keys: Sequence[str]) -> None: ...

    async def find_pending_writes(
        self, job: KeyName, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return those of the objects that this cycle is to write, as not held back.

        The value is the resource that is there already; None: it is to be created.
        """
        ...

    async def find_pending_creations(
        self, job: KeyName, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        """Return the phases of those objects that this cycle is to create."""
        ...

    async def find_pending_adoptions(
        self, job: KeyName, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID for which this cycle is to adopt each resource."""
        ...

    async def list_pending_effects(
        self, job: KeyName, cycle: str, phase: int, *, after: str, limit: int
    ) -> list[Effect]:
        """Return a cycle's pending effects of a phase by key, those after `after`."""
        ...

    async def save_outcomes(
        self,
        job: KeyName,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
        charges: Sequence[BudgetCharge] = (),
    ) -> None:
        """Store links, memberships, effect states and log in one transaction.

        A group that is linked anew has no memberships that we wrote. Of what is
        unlinked nothing is kept. What was released is done with in its stage. Raises
        `model.outcomes.AlreadyLinked`, and stores nothing, if a resource is another's.
        """
        ...

    async def list_due_effects(
        self, job: KeyName, now: datetime, *, after: str, limit: int
    ) -> list[Effect]:
        """Return escrowed effects that are to be tried by now, by key after `after`."""
        ...

    async def list_effects(
        self, job: KeyName, *, after: str, limit: int
    ) -> list[Effect]:
        """Return effects of any state by key, those after `after`."""
        ...

    async def list_escrowed_effects(
        self, job: KeyName, *, after: str, limit: int
    ) -> list[tuple[Effect, str | None]]:
        """Return escrowed effects by key, those after `after`, with the object's DN."""
        ...

    async def retry_escrowed(
        self, job: KeyName, object_guid: str | None, now: datetime
    ) -> int:
        """Make what is in escrow for an object (None: for all) due, given up or not.

        Its tries are forgotten, and its 28 days start anew; whether a creation may have
        reached the target is not. Return how many effects there are.
        """
        ...

    async def count_effects(self) -> dict[str, dict[str, int]]:
        """Return per job the number of effects by state."""
        ...


class Stages(Protocol):
    async def save_stage(self, stage: Stage) -> None:
        """Store a stage with the effects of its cycle that name it."""
        ...

    async def list_stages(self, job: str | None = None) -> list[Stage]:
        """Return the stages that nobody has done with, the oldest first."""
        ...

    async def list_staged_effects(
        self, stage: str, after: str, limit: int
    ) -> list[StagedEffect]:
        """Return what a stage holds by key, those after `after`."""
        ...

    async def list_superseded_effects(
        self, job: str, cycle: str, stage: str, limit: int
    ) -> list[StagedEffect]:
        """Return effects of a stage that this cycle does not want any more."""
        ...

    async def forget_staged_effects(
        self, stage: str, keys: Sequence[str], log: Sequence[LogEntry]
    ) -> None: ...

    async def close_stages(self, job: str, now: datetime) -> None:
        """Close, with their allowances, the stages none of whose effects is left.

        What is in escrow because a stage holds what it needs is due then.
        """
        ...

    async def discard_stage(self, stage: Stage, now: datetime) -> int:
        """Propose no longer what the stage holds; return how many effects.

        What is in escrow because of the stage is due.
        """
        ...

    async def save_allowance(self, allowance: Allowance) -> None: ...

    async def list_allowances(self, now: datetime) -> list[Allowance]:
        """Return those that have not ended."""
        ...

    async def sum_budget_charges(self, job: str, guard: str, since: datetime) -> int:
        """Return how many effects of a budget were written; forget those before."""
        ...


class Evaluations(Protocol):
    """A row is settled while it needs nothing under the programs of a digest.

    It is settled no longer when its content or state changes, when another job writes
    its resource, and when an object that it refers to is linked anew or no longer.
    """

    async def begin_evaluation(
        self, job: KeyName, target: str, digest: str
    ) -> tuple[int, int, int]:
        """Return how many rows count as in scope, how many of them are settled.

        And how many are to be evaluated, those included that have left. First, rows
        that refer to one which is not settled are settled no longer.
        """
        ...

    async def save_evaluated_batch(
        self, job: KeyName, cycle: str, digest: str, batch: EvaluatedBatch
    ) -> None:
        """Store effects, references, and which rows need none, in one transaction."""
        ...

    async def settle_written(self, job: KeyName, cycle: str, digest: str) -> None:
        """Settle the rows whose effects have all left the outbox in this cycle."""
        ...
