"""Compares what budgets would bear with what they may."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from cloudforest.model.registration import Budget
from cloudforest.model.value import Value
from cloudforest.program.guard import limit, tripped
from cloudforest.provisioning.evaluating.evaluation import Evaluation

REKEYS = "rekeys"
"""The budget of a change of what is matched by, also where only the export finds it."""
OF_OBJECTS = frozenset({"creates", "disables", "deletes", "attributesBlanked", REKEYS})
OF_MEMBERS = frozenset({"memberRemovals", "groupsEmptied"})


class Tripped(Value, frozen=True):
    """A budget that is exceeded: so many effects against the limit.

    `total` is what its window would come to: effects that were written or staged in it,
    and these. `digest` names the stage that they are in, or will be.
    """

    job: str
    guard: str
    effects: int
    limit: int
    total: int
    digest: str = ""

    @property
    def reason(self) -> str:
        return (
            f"{self.guard}: with {self.effects} effects of this cycle there would be "
            f"{self.total} in the budget's window; at most {self.limit} may happen."
        )


async def _total(evaluation: Evaluation, guard: str, budget: Budget) -> int:
    """Return what was written or staged in the budget's window, with what is new."""
    since = evaluation.now - timedelta(seconds=budget.window)
    written = await evaluation.run.store.spent(evaluation.run.job.name, guard, since)
    return written + evaluation.waiting[guard] + evaluation.tally[guard]


async def leave_room(evaluation: Evaluation, guard: str) -> None:
    """Note how many effects the budget bears that only the export will find."""
    run = evaluation.run
    if (budget := run.job.guard.get(guard)) is None:
        return
    most = limit(budget, await run.store.managed(run.rows, run.job.target))
    run.room[guard] = max(0, most - await _total(evaluation, guard, budget))


async def check(evaluation: Evaluation, guards: Collection[str]) -> dict[str, Tripped]:
    """Return which of the budgets the cycle's new effects exceed, by name."""
    run = evaluation.run
    borne = sorted(each for each in guards if evaluation.tally[each])
    if not borne:
        return {}
    managed = await run.store.managed(run.rows, run.job.target)
    exceeded = {}
    for guard in borne:
        if (budget := run.job.guard.get(guard)) is None:
            continue
        new = evaluation.tally[guard]
        total = await _total(evaluation, guard, budget)
        if tripped(budget, managed=managed, cycle=new, window=total):
            exceeded[guard] = Tripped(
                job=run.job.name,
                guard=guard,
                effects=new,
                limit=limit(budget, managed),
                total=total,
            )
    return exceeded
