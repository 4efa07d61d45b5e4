"""Compares what budgets would bear with what they may.

The arithmetic of the guard.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from cloudforest.model.registration import Budget
from cloudforest.model.stages import REKEYS, ExceededBudget
from cloudforest.provisioning.evaluation.state import Evaluation


def compute_limit(budget: Budget, managed: int) -> int:
    """Return `min(max, ceil(percent of max(managed, base)))`, exactly.

    In binary floating point, 7 % of 100 would be a little more than 7.
    """
    share = Decimal(str(budget.percent)) * max(managed, budget.base) / 100
    return min(budget.max, int(share.to_integral_value(ROUND_CEILING)))


def is_exceeded(budget: Budget, *, managed: int, cycle: int, window: int) -> bool:
    """Tell whether this cycle's effects, or the window's with them, are too many.

    `window` counts the effects of the budget's whole window, this cycle's included.
    """
    return max(cycle, window) > compute_limit(budget, managed)


OBJECT_BUDGETS = frozenset(
    {"creates", "disables", "deletes", "attributesBlanked", REKEYS}
)
MEMBER_BUDGETS = frozenset({"memberRemovals", "groupsEmptied"})


async def _sum_window(evaluation: Evaluation, guard: str, budget: Budget) -> int:
    """Return what was written or staged in the budget's window, with what is new."""
    since = evaluation.now - timedelta(seconds=budget.window)
    written = await evaluation.context.store.sum_budget_charges(
        evaluation.context.job.name, guard, since
    )
    return written + evaluation.staged_charges[guard] + evaluation.charges[guard]


async def record_remaining_budget(evaluation: Evaluation, guard: str) -> None:
    """Note how many effects the budget bears that only the export will find."""
    context = evaluation.context
    if (budget := context.job.guard.get(guard)) is None:
        return
    most = compute_limit(
        budget, await context.store.count_managed(context.key_name, context.job.target)
    )
    context.remaining_budgets[guard] = max(
        0, most - await _sum_window(evaluation, guard, budget)
    )


async def check_budgets(
    evaluation: Evaluation, guards: Collection[str]
) -> dict[str, ExceededBudget]:
    """Return which of the budgets the cycle's new effects exceed, by name."""
    context = evaluation.context
    borne = sorted(each for each in guards if evaluation.charges[each])
    if not borne:
        return {}
    managed = await context.store.count_managed(context.key_name, context.job.target)
    exceeded = {}
    for guard in borne:
        if (budget := context.job.guard.get(guard)) is None:
            continue
        new = evaluation.charges[guard]
        total = await _sum_window(evaluation, guard, budget)
        if is_exceeded(budget, managed=managed, cycle=new, window=total):
            exceeded[guard] = ExceededBudget(
                job=context.job.name,
                guard=guard,
                effects=new,
                limit=compute_limit(budget, managed),
                total=total,
            )
    return exceeded
