"""The guard's arithmetic: compares the charges of a cycle with the budgets' limits."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from cloudforest.model.registration import Budget
from cloudforest.model.stages import REKEYS, ExceededBudget
from cloudforest.provisioning.evaluation.state import Evaluation

OBJECT_BUDGETS = frozenset(
    {"creates", "disables", "deletes", "attributesBlanked", REKEYS}
)
MEMBER_BUDGETS = frozenset({"memberRemovals", "groupsEmptied"})


def compute_limit(budget: Budget, managed: int) -> int:
    """Return `min(max, ceil(percent of max(managed, base)))`.

    Calculate in decimals: in binary floating point, 7 % of 100 is more than 7.
    """
    share = Decimal(str(budget.percent)) * max(managed, budget.base) / 100
    return min(budget.max, int(share.to_integral_value(ROUND_CEILING)))


def is_exceeded(budget: Budget, *, managed: int, cycle: int, window: int) -> bool:
    """Tell whether this cycle's effects, or those of the window, exceed the limit.

    `window` counts all effects in the budget's window, including this cycle's.
    """
    return max(cycle, window) > compute_limit(budget, managed)


async def _sum_window(evaluation: Evaluation, guard: str, budget: Budget) -> int:
    """Count the effects in the budget's window: written, staged, and new."""
    since = evaluation.now - timedelta(seconds=budget.window)
    written = await evaluation.context.store.sum_budget_charges(
        evaluation.context.job.name, guard, since
    )
    return written + evaluation.staged_charges[guard] + evaluation.charges[guard]


async def record_remaining_budget(evaluation: Evaluation, guard: str) -> None:
    """Record how many more effects the budget allows, for those found at export."""
    context = evaluation.context
    if (budget := context.job.guard.get(guard)) is None:
        return
    limit = compute_limit(
        budget, await context.store.count_managed(context.key_name, context.job.target)
    )
    context.remaining_budgets[guard] = max(
        0, limit - await _sum_window(evaluation, guard, budget)
    )


async def check_budgets(
    evaluation: Evaluation, guards: Collection[str]
) -> dict[str, ExceededBudget]:
    """Return the budgets that the cycle's new effects exceed, by name."""
    context = evaluation.context
    charged = sorted(each for each in guards if evaluation.charges[each])
    if not charged:
        return {}
    managed = await context.store.count_managed(context.key_name, context.job.target)
    exceeded = {}
    for guard in charged:
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
