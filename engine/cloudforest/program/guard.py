"""The arithmetic of the guard."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from cloudforest.model.registration import Budget


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
