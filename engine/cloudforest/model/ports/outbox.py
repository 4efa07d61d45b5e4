"""The store's outbox: evaluations, effects, stages and allowances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import Effect, EvaluatedBatch, Outcome
from cloudforest.model.jobs import LiveKey, ReadKey, WriteKey
from cloudforest.model.stages import Allowance, BudgetCharge, Stage, StagedEffect


class Outbox(Protocol):
    """Effects from their evaluation to their outcome.

    A source object is settled under a digest of programs while these need no effect
    for it. It is unsettled when its content or presence changes, when another job
    writes its resource, and when an object that it refers to is linked or unlinked.
    """

    async def begin_evaluation(
        self, job: WriteKey, target: str, digest: str
    ) -> tuple[int, int, int]:
        """Return how many objects are in scope, settled, and due for evaluation.

        Those due include linked objects that left the scope. Objects that refer to an
        unsettled one are unsettled first.
        """

    async def save_evaluated_batch(
        self, job: WriteKey, cycle: str, digest: str, batch: EvaluatedBatch
    ) -> None:
        """Store effects and references, and settle the objects that need no effect."""

    async def settle_written(self, job: WriteKey, cycle: str, digest: str) -> None:
        """Settle the objects whose effects have all left the outbox in this cycle."""

    async def load_effects(
        self, job: ReadKey, keys: Sequence[str]
    ) -> dict[str, Effect]: ...

    async def save_effects(
        self, job: WriteKey, cycle: str, effects: Sequence[Effect]
    ) -> None:
        """Put effects into the outbox; each replaces the effect with the same key."""

    async def mark_sent(
        self, job: WriteKey, keys: Sequence[str], *, sent: bool
    ) -> None:
        """Store whether these creations may have reached the target."""

    async def drop_stale_effects(
        self, job: WriteKey, cycle: str, *, only_object: str | None = None
    ) -> None:
        """Forget the effects, of one object or all, that this cycle did not save."""

    async def remove_effects(self, job: WriteKey, keys: Sequence[str]) -> None: ...

    async def find_pending_writes(
        self, job: ReadKey, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return the objects that this cycle will write; held effects do not count.

        The value is the id of the existing resource, or None for a creation.
        """

    async def find_pending_creations(
        self, job: ReadKey, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        """Return the phase of each of these objects that this cycle will create."""

    async def find_pending_adoptions(
        self, job: ReadKey, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID for which this cycle will adopt each resource."""

    async def list_pending_effects(
        self, job: ReadKey, cycle: str, phase: int, *, after: str, limit: int
    ) -> list[Effect]:
        """Return the cycle's pending effects of a phase that follow `after`, by key."""

    async def save_outcomes(
        self,
        job: WriteKey,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
        charges: Sequence[BudgetCharge] = (),
    ) -> None:
        """Store links, memberships, effect states and log in one transaction.

        A group that gets another resource loses its written members. All data of
        unlinked objects is deleted. Effects that were released and are done leave
        their stage. Raises AlreadyLinked, and stores nothing, if a resource is linked
        to another object.
        """

    async def list_due_effects(
        self, job: ReadKey, now: datetime, *, after: str, limit: int
    ) -> list[Effect]:
        """Return escrowed effects due at `now` that follow `after`, by key."""

    async def list_effects(
        self, job: ReadKey, *, after: str, limit: int
    ) -> list[Effect]:
        """Return effects of any state that follow `after`, by key."""

    async def list_escrowed_effects(
        self, job: ReadKey, *, after: str, limit: int
    ) -> list[tuple[Effect, str | None]]:
        """Return escrowed effects that follow `after`, by key, with the object's DN."""

    async def retry_escrowed(
        self, job: LiveKey, object_guid: str | None, now: datetime
    ) -> int:
        """Make the escrow of an object (None: all objects) due; return the number.

        Given-up effects are included. Attempts are forgotten and the 28 days start
        over. Whether a creation may have reached the target is kept.
        """

    async def count_effects(self) -> dict[str, dict[str, int]]:
        """Return the number of effects of each job, by state."""

    async def save_stage(self, new: Stage) -> None:
        """Store a stage with the effects of its cycle that name it."""

    async def list_stages(self, job: str | None = None) -> list[Stage]:
        """Return the stages that wait for a decision, the oldest first."""

    async def list_staged_effects(
        self, stage: str, after: str, limit: int
    ) -> list[StagedEffect]:
        """Return the effects of a stage that follow `after`, by key."""

    async def list_superseded_effects(
        self, job: str, cycle: str, stage: str, limit: int
    ) -> list[StagedEffect]:
        """Return effects of a stage that this cycle no longer wants."""

    async def forget_staged_effects(
        self, stage: str, keys: Sequence[str], log: Sequence[LogEntry]
    ) -> None: ...

    async def close_stages(self, job: str, now: datetime) -> None:
        """Close the stages that have no effects left, and end their allowances.

        Escrowed effects that waited for a stage become due.
        """

    async def discard_stage(self, stage: Stage, now: datetime) -> int:
        """Discard the stage's effects, so that they are not proposed again.

        Escrowed effects that waited for the stage become due. Returns the number of
        discarded effects.
        """

    async def save_allowance(self, new: Allowance) -> None: ...

    async def list_allowances(self, now: datetime) -> list[Allowance]:
        """Return the allowances that have not ended."""

    async def sum_budget_charges(self, job: str, guard: str, since: datetime) -> int:
        """Return how many effects were charged to a budget; forget older charges."""
