"""The guard's arithmetic is exact."""

from __future__ import annotations

import pytest

from cloudforest.model.registration import Budget
from cloudforest.program.guard import limit, tripped

BUDGET = Budget(max=500, percent=20, base=50, window=86400)


@pytest.mark.parametrize(
    ("managed", "expected"),
    [(0, 10), (50, 10), (51, 11), (100, 20), (2499, 500), (2500, 500), (90_000, 500)],
)
def test_the_limit_is_a_share_of_what_is_managed(managed, expected):
    assert limit(BUDGET, managed) == expected


def test_the_share_is_exact():
    assert limit(Budget(max=500, percent=7, base=0, window=1), 100) == 7
    assert limit(Budget(max=500, percent=0.1, base=0, window=1), 1000) == 1


@pytest.mark.parametrize(
    ("cycle", "window", "expected"),
    [(0, 0, False), (20, 20, False), (21, 21, True), (1, 21, True), (21, 1, True)],
)
def test_it_trips_above_the_limit_in_a_cycle_or_in_the_window(cycle, window, expected):
    assert tripped(BUDGET, managed=100, cycle=cycle, window=window) is expected
