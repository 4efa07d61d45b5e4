from __future__ import annotations

import pytest

from cloudforest.cli.cycles import cycles_exit_code


@pytest.mark.parametrize(
    ("cycles", "code"),
    [
        ([("succeeded", False), ("partial", False)], 4),
        ([("blocked", False), ("partial", False)], 3),
        ([("failed", True), ("blocked", False)], 5),
        ([("failed", True), ("failed", False)], 1),
    ],
)
def test_most_severe_cycle_sets_the_exit_code(
    cycles: list[tuple[str, bool]], code: int
):
    ended = [{"state": state, "unreachable": away} for state, away in cycles]
    assert cycles_exit_code(ended) == code
