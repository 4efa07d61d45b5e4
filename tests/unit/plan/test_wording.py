from __future__ import annotations

import msgspec
from tests.support.plans import IMPACT

from cloudforest.plan.plan import GuardObjection, JobImpact
from cloudforest.plan.wording import describe_counts, describe_guard


def test_a_guard_says_what_its_window_held_before():
    guard = GuardObjection(job="people", guard="disables", effects=2, limit=5, total=6)

    assert describe_guard(guard) == (
        "people would cause 2 disables besides 4 in its window; at most 5 may happen "
        "without being allowed."
    )


def test_a_guard_that_hides_behind_another_is_told_as_what_follows():
    guard = msgspec.structs.replace(IMPACT.guards[0], follows=True)

    assert describe_guard(guard).startswith("Once the others are allowed, people ")


def test_counts_are_told_in_words():
    assert describe_counts(IMPACT) == (
        "7 of 9 objects in scope; 5 to create, 2 to disable; 7 requests, at least 1s"
    )
    assert "unknown (Away.)" in describe_counts(JobImpact(job="a", unknown="Away."))
