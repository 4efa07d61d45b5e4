from __future__ import annotations

import msgspec
import pytest
from tests.support.plans import IMPACT

from cloudforest.model.cycles import Counts
from cloudforest.plan.plan import GuardObjection, JobImpact
from cloudforest.plan.wording import describe_counts, describe_guard


def test_guard_names_the_earlier_effects_in_its_window():
    guard = GuardObjection(job="people", guard="disables", effects=2, limit=5, total=6)

    assert describe_guard(guard) == (
        "2 disables + 4 earlier in the window exceed the limit of 5 "
        "(guard.disables of job people)."
    )


@pytest.mark.parametrize(
    ("guard", "effects"),
    [
        ("disables", "1 disable exceeds"),
        ("memberRemovals", "1 membership removal exceeds"),
        ("attributesBlanked", "1 cleared value exceeds"),
        ("groupsEmptied", "1 emptied group exceeds"),
    ],
)
def test_single_effect_that_exceeds_its_guard_is_singular(guard: str, effects: str):
    objection = GuardObjection(job="people", guard=guard, effects=1, limit=0, total=1)
    assert describe_guard(objection).startswith(f"{effects} the limit of 0 ")


def test_guard_that_follows_others_says_so():
    guard = msgspec.structs.replace(IMPACT.guards[0], follows=True)

    assert describe_guard(guard).startswith("once the others are allowed, 2 disables ")


def test_counts_are_written_in_words():
    assert describe_counts(IMPACT) == (
        "7 of 9 objects in scope; 5 to create, 2 to disable; 7 requests, at least 1 s"
    )
    one = JobImpact(
        job="people",
        counts=Counts(read=1, in_scope=1, member_add=1, blank=2),
        requests=1,
    )
    assert describe_counts(one) == (
        "1 of 1 object in scope; 1 membership to add, 2 values to clear; 1 request"
    )
    assert "unknown (Away.)" in describe_counts(JobImpact(job="a", unknown="Away."))
