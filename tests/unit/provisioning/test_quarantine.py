"""Quarantine and breaker: the health of a job and its target after a cycle. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from cloudforest.model.cycles import Attempts, Counts, Cycle
from cloudforest.model.jobs import JobHealth, JobState, Pause
from cloudforest.provisioning import quarantine
from cloudforest.provisioning.quarantine import compute_holds, update_health

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def cycle(at: datetime = NOON, **fields: Any) -> Cycle:
    values = {"state": "succeeded", "requests": 1, **fields}
    return Cycle(
        id="1",
        job="people",
        target="cloud",
        kind="incremental",
        started=at,
        finished=at,
        **values,
    )


def failed(fault: Any, at: datetime = NOON) -> Cycle:
    return cycle(at, state="failed", fault=fault, error="It went wrong.", requests=3)


def tried(first: int, bad: int, *, again: int = 0, bad_again: int = 0) -> Cycle:
    attempts = Attempts(
        first=first, first_failed=bad, again=again, again_failed=bad_again
    )
    counts = Counts(escrow=bad + bad_again)
    return cycle(
        state="partial" if counts.escrow else "succeeded",
        counts=counts,
        attempts=attempts,
    )


def after(*cycles: Cycle, state: JobState | None = None) -> JobState:
    held = state or JobState()
    for each in cycles:
        held = quarantine.update_job_state(held, each, "r1")
    return held


@pytest.mark.parametrize(
    ("first", "bad", "reason"),
    [
        (10, 4, None),
        (10, 5, "error-rate"),
        (9, 9, None),
        (1000, 400, None),
        (1000, 401, "error-rate"),
    ],
)
def test_quarantine_starts_above_the_documented_rate(
    first: int, bad: int, reason: str | None
) -> None:
    held = after(tried(first, bad)).quarantine

    assert (held and held.reason) == reason
    assert held is None or held.next == NOON + timedelta(minutes=10)


def test_retries_out_of_escrow_do_not_cause_a_quarantine() -> None:
    assert after(tried(5, 0, again=30, bad_again=30)).quarantine is None


def test_ten_cycles_that_need_an_operator_cause_a_quarantine() -> None:
    nine = after(*[failed("configuration")] * 9)
    assert nine.quarantine is None
    ten = after(failed("credential"), state=nine)
    assert ten.quarantine is not None
    assert ten.quarantine.reason == "failed-cycles"
    assert after(cycle(), state=nine).failures == 0


@pytest.mark.parametrize("fault", ["unreachable", "target"])
def test_missing_answers_do_not_cause_a_quarantine(fault: str) -> None:
    assert after(*[failed(fault)] * 100) == JobState(registered="r1")


def test_quarantine_delays_up_to_a_day_and_disables_after_four_weeks() -> None:
    state = after(tried(10, 10))
    tries = [NOON]
    while state.quarantine is not None and state.disabled is None:
        at = state.quarantine.next
        tries.append(at)
        state = after(
            replace(tried(0, 0, again=10, bad_again=10), started=at, finished=at),
            state=state,
        )

    waits = [late - early for early, late in pairwise(tries)]
    assert [each / MINUTE for each in waits[:8]] == [
        10,
        20,
        40,
        80,
        160,
        320,
        640,
        1280,
    ]
    assert set(waits[8:]) == {timedelta(days=1)}
    assert state.disabled is not None
    assert timedelta(weeks=4) <= state.disabled - NOON < timedelta(weeks=4, days=1)


def test_successful_cycle_lifts_the_quarantine() -> None:
    bad = after(tried(10, 10))
    assert after(tried(0, 0, again=10, bad_again=4), state=bad).quarantine is None
    assert after(cycle(), state=bad).quarantine is None


def test_cycle_without_tries_keeps_the_quarantine() -> None:
    bad = after(tried(10, 10))
    waiting = cycle(state="partial", counts=Counts(escrow=10))

    held = after(waiting, state=bad).quarantine
    assert held is not None
    assert held.count == 1


def test_new_registration_clears_failures_and_quarantine_but_not_the_pause() -> None:
    pause = Pause(since=NOON, by="anna")
    bad = replace(after(tried(10, 10)), paused=pause)

    assert quarantine.reset_if_changed(bad, "r1") == bad
    assert quarantine.reset_if_changed(bad, "r2") == JobState(
        paused=pause, registered="r2"
    )


def test_breaker_waits_longer_each_time_up_to_half_an_hour() -> None:
    held, waits = None, []
    for _ in range(8):
        at = held.next if held else NOON
        held = quarantine.update_breaker(held, failed("target", at), 0)
        assert held is not None
        waits.append((held.next - at) / MINUTE)

    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert held is not None
    assert held.since == NOON
    assert quarantine.BREAKER_BACKOFF.delay(1, 1) == MINUTE * 1.1


def test_jobs_that_fail_together_count_once() -> None:
    first = quarantine.update_breaker(None, failed("target"), 0)
    assert quarantine.update_breaker(first, failed("target"), 0) == first


def test_only_an_answer_of_the_target_closes_the_breaker() -> None:
    held = quarantine.update_breaker(None, failed("credential"), 0)

    assert quarantine.update_breaker(held, cycle(requests=0), 0) == held
    assert quarantine.update_breaker(held, failed("unreachable"), 0) == held
    assert quarantine.update_breaker(held, cycle(state="partial"), 0) is None


def test_job_is_held_until_its_latest_wait_ends() -> None:
    down = quarantine.update_breaker(None, failed("target"), 0)
    bad = after(tried(10, 10))
    both = JobHealth(job_state=bad, breaker=down)
    paused = JobHealth(job_state=JobState(paused=Pause(since=NOON, by="anna")))
    disabled = JobHealth(job_state=JobState(disabled=NOON))

    assert compute_holds(
        {
            "both": both,
            "down": JobHealth(breaker=down),
            "paused": paused,
            "disabled": disabled,
            "free": JobHealth(),
        }
    ) == {
        "both": NOON + timedelta(minutes=10),
        "down": NOON + timedelta(minutes=1),
        "paused": None,
        "disabled": None,
    }


def test_rejected_credential_opens_the_breaker_and_counts_as_failure() -> None:
    standing = update_health(
        JobHealth(), failed("credential"), registered="r", jitter=0
    )

    assert standing.breaker is not None
    assert standing.job_state.failures == 1
