"""Evaluations: which rows must be looked at, and what was found to be needed."""

from __future__ import annotations

from typing import Protocol

from cloudforest.model.provisioning import EvaluatedRows


class Evaluations(Protocol):
    """A row is settled while it needs nothing under the programs of a digest.

    It is settled no longer when its content or state changes, when another job writes
    its resource, and when an object that it refers to is linked anew or no longer.
    """

    async def begin_evaluation(
        self, job: str, target: str, digest: str
    ) -> tuple[int, int, int]:
        """Return how many rows count as in scope, how many of them are settled.

        And how many are to be evaluated, those included that have left. First, rows
        that refer to one which is not settled are settled no longer.
        """
        ...

    async def save_evaluated(
        self, job: str, cycle: str, digest: str, rows: EvaluatedRows
    ) -> None:
        """Store effects, references, and which rows need none, in one transaction."""
        ...

    async def settle_written(self, job: str, cycle: str, digest: str) -> None:
        """Settle the rows whose effects have all left the outbox in this cycle."""
        ...
