"""The outbox: effects, from intention to outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.provisioning import Effect, LogEntry, Outcome, Spent


class Outbox(Protocol):
    async def effects(self, job: str, keys: Sequence[str]) -> dict[str, Effect]: ...

    async def save_effects(
        self, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        """Put effects into the outbox, each in place of the one with its key."""
        ...

    async def mark_sent(self, job: str, keys: Sequence[str], *, sent: bool) -> None:
        """Say of effects whether their creation may have reached the target."""
        ...

    async def drop_effects(
        self, job: str, cycle: str, *, only: str | None = None
    ) -> None:
        """Forget the effects (`only` of one object) that this cycle did not save."""
        ...

    async def remove_effects(self, job: str, keys: Sequence[str]) -> None: ...

    async def coming(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return those of the objects that this cycle is to write, as not held back.

        The value is the resource that is there already; None: it is to be created.
        """
        ...

    async def creations(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        """Return the phases of those objects that this cycle is to create."""
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

    async def record(
        self,
        job: str,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
        spent: Sequence[Spent] = (),
    ) -> None:
        """Store links, memberships, effect states and log in one transaction.

        A group that is linked anew has no memberships that we wrote. Of what is
        unlinked nothing is kept. What was released is done with in its stage. Raises
        `model.outcomes.AlreadyLinked`, and stores nothing, if a resource is another's.
        """
        ...

    async def due(
        self, job: str, now: datetime, *, after: str, limit: int
    ) -> list[Effect]:
        """Return escrowed effects that are to be tried by now, by key after `after`."""
        ...

    async def outbox_page(self, job: str, *, after: str, limit: int) -> list[Effect]:
        """Return effects of any state by key, those after `after`."""
        ...

    async def escrow_page(
        self, job: str, *, after: str, limit: int
    ) -> list[tuple[Effect, str | None]]:
        """Return escrowed effects by key, those after `after`, with the object's DN."""
        ...

    async def retry(self, job: str, object: str | None, now: datetime) -> int:  # noqa: A002
        """Make what is in escrow for an object (None: for all) due, given up or not.

        Its tries are forgotten, and its 28 days start anew; whether a creation may have
        reached the target is not. Return how many effects there are.
        """
        ...

    async def effect_counts(self) -> dict[str, dict[str, int]]:
        """Return per job the number of effects by state."""
        ...
