"""Escrow: the wait before each retry, and giving up."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from tests.support.world import NOON

from cloudforest.model.effects import PHASE_WRITE, Effect, put_in_escrow

BARE = Effect(
    key="a",
    id="a",
    type="user",
    resource_type="User",
    action="create",
    phase=PHASE_WRITE,
    anchor="a",
)


def tries(effect: Effect) -> list[datetime]:
    """Return the times of the retries, if each of them fails."""
    found, now = [], NOON
    while (effect := put_in_escrow(effect, "No.", now)).next_try is not None:
        found.append(now)
        now = effect.next_try
    assert effect.reason == "given-up: No."
    return [*found, now]


def test_waits_double_from_a_minute_to_a_day():
    times = tries(BARE)
    waits = [after - before for before, after in pairwise(times)]
    minutes = [wait // timedelta(minutes=1) for wait in waits]
    assert minutes[:11] == [1 << number for number in range(11)]
    assert set(minutes[11:]) == {24 * 60}


def test_object_that_failed_for_28_days_is_given_up():
    last = tries(BARE)[-1] - NOON
    assert timedelta(days=28) <= last < timedelta(days=29)
