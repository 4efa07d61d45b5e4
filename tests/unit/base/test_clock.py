"""One rule for all backoffs, and the numbers of those that nothing else tests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloudforest.adapters.target.connection import MAX_ATTEMPTS, RETRY_BACKOFF
from cloudforest.base.clock import Backoff
from cloudforest.model.effects import ESCROW_BACKOFF
from cloudforest.provisioning.quarantine import QUARANTINE_BACKOFF

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def test_delay_doubles_up_to_its_limit() -> None:
    backoff = Backoff(first=SECOND, longest=10 * SECOND)
    delays = [backoff.delay(failures) / SECOND for failures in (1, 2, 3, 4, 5, 10**9)]
    assert delays == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(("jitter", "ends"), [(0.1, (4, 4.4)), (-0.5, (4, 2))])
def test_jitter_moves_a_delay_by_at_most_its_share(
    jitter: float, ends: tuple[float, float]
) -> None:
    backoff = Backoff(first=SECOND, longest=MINUTE, jitter=jitter)
    assert (backoff.delay(3, 0) / SECOND, backoff.delay(3, 1) / SECOND) == ends


def test_escrow_waits_from_a_minute_to_a_day() -> None:
    delays = [ESCROW_BACKOFF.delay(each) / MINUTE for each in (1, 2, 11, 12, 999)]
    assert delays == [1, 2, 1024, 1440, 1440]


def test_quarantine_waits_from_ten_minutes_to_a_day() -> None:
    delays = [QUARANTINE_BACKOFF.delay(each) / MINUTE for each in (1, 2, 8, 9, 999)]
    assert delays == [10, 20, 1280, 1440, 1440]


def test_target_is_tried_again_after_a_quarter_and_half_a_second() -> None:
    delays = [RETRY_BACKOFF.delay(each) / SECOND for each in range(1, MAX_ATTEMPTS)]
    assert delays == [0.25, 0.5]
