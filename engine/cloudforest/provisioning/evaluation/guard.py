"""Compares what budgets would bear with what they may.

The arithmetic of the guard.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from cloudforest.model.registration import Budget
from cloudforest.model.stages import REKEYS, Tripped
from cloudforest.provisioning.evaluation.state import Evaluation


def limit(budget: Budget, managed: int) -> int:
    """Return `min(max, ceil(percent of max(managed, base)))`, exactly.

    In binary floating point, 7 % of 100 would be a little more than 7.
    """
    share = Decimal(str(budget.percent)) * max(managed, budget.base) / 100
    return min(budget.max, int(share.to_integral_value(ROUND_CEILING)))


def tripped(budget: Budget, *, managed: int, cycle: int, window: int) -> bool:
    """Tell whether this cycle's effects, or the window's with them, are too many.

    `window` counts the effects of the budget's whole window, this cycle's included.
    """
    return max(cycle, window) > limit(budget, managed)


OF_OBJECTS = frozenset({"creates", "disables", "deletes", "attributesBlanked", REKEYS})
OF_MEMBERS = frozenset({"memberRemovals", "groupsEmptied"})


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
