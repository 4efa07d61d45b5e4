"""The guard's arithmetic is exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.model.registration import Budget
from cloudforest.provisioning.evaluation.guard import compute_limit, is_exceeded

BUDGET = Budget(max=500, percent=20, base=50, window=86400)


@pytest.mark.parametrize(
    ("managed", "expected"),
    [(0, 10), (50, 10), (51, 11), (100, 20), (2499, 500), (2500, 500), (90_000, 500)],
)
def test_limit_is_a_share_of_managed_objects(managed, expected):
    assert compute_limit(BUDGET, managed) == expected


def test_share_is_exact():
    assert compute_limit(Budget(max=500, percent=7, base=0, window=1), 100) == 7
    assert compute_limit(Budget(max=500, percent=0.1, base=0, window=1), 1000) == 1


@pytest.mark.parametrize(
    ("cycle", "window", "expected"),
    [(0, 0, False), (20, 20, False), (21, 21, True), (1, 21, True), (21, 1, True)],
)
def test_budget_is_exceeded_above_the_limit_in_the_cycle_or_the_window(
    cycle, window, expected
):
    assert is_exceeded(BUDGET, managed=100, cycle=cycle, window=window) is expected


@given(
    st.integers(0, 3000),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 50)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(managed: int, cycles):
    """Run cycles at increasing times; a cycle above the limit writes nothing."""
    now, written = 0, []
    for effects, minutes in cycles:
        now += minutes * 60
        window = sum(n for at, n in written if at > now - BUDGET.window) + effects
        if not is_exceeded(BUDGET, managed=managed, cycle=effects, window=window):
            written.append((now, effects))
    for at, _ in written:
        inside = sum(n for when, n in written if at - BUDGET.window < when <= at)
        assert inside <= compute_limit(BUDGET, managed)
