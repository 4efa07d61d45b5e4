"""Quarantine: a job that goes wrong as a whole is slowed, and at last disabled. Pure.

Microsoft looks at a job only after 5,000 failures (40 % of the events); a directory of
a hundred people would never get there, so ours counts objects of one cycle.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from cloudforest.model.provisioning import (
    Attempts,
    Cycle,
    JobState,
    Quarantine,
    QuarantineReason,
)

LEAST_TRIES = 10
"""Objects that one cycle must have tried for the first time before its rate counts."""
WORST_RATE = 0.4
FAILED_CYCLES = 10
"""Cycles in a row that fail for what somebody has to put right."""
FIRST_DELAY = timedelta(minutes=10)
LONGEST_DELAY = timedelta(hours=24)
DOUBLINGS = 8
LIFETIME = timedelta(weeks=4)

Cause = tuple[QuarantineReason, str]


def delay(count: int) -> timedelta:
    """Return the time to the next try: 10 minutes, doubling to a day."""
    return min(FIRST_DELAY * (1 << min(count, DOUBLINGS)), LONGEST_DELAY)


def as_registered(state: JobState, registered: str) -> JobState:
    """Forget the failures of what is registered no longer."""
    if state.registered == registered:
        return state
    return replace(state, registered=registered, failures=0, quarantine=None)


def _is_somebodys(cycle: Cycle) -> bool:
    """Tell whether it failed for what waiting does not mend."""
    return cycle.fault in {"credential", "configuration"}


def _failures(state: JobState, cycle: Cycle) -> int:
    return state.failures + 1 if cycle.state == "failed" else 0


def _rate(failed: int, tried: int) -> Cause:
    return "error-rate", (
        f"{failed} of the {tried} objects that the cycle tried to write failed; "
        "see why with `job escrow` and `logs`."
    )


def _cause(attempts: Attempts, failures: int, error: str | None) -> Cause | None:
    """Return why a job goes into quarantine; objects that are tried again are no news.

    Else some old escrows, tried together once a day, would look like a disaster.
    """
    if failures >= FAILED_CYCLES:
        return "failed-cycles", f"{failures} cycles in a row failed: {error}"
    tried, failed = attempts.first, attempts.first_failed
    if tried >= LEAST_TRIES and failed > WORST_RATE * tried:
        return _rate(failed, tried)
    return None


def _remains(held: Quarantine, cycle: Cycle) -> Cause | None:
    """Return what speaks against lifting a quarantine after this cycle."""
    if cycle.state == "failed":
        return held.reason, cycle.error or held.sentence
    tried, failed = cycle.attempts.all, cycle.attempts.all_failed
    if failed > WORST_RATE * tried:
        return _rate(failed, tried)
    if not tried and cycle.counts.escrow and held.reason == "error-rate":
        # Nothing was tried, so nothing is known to be better.
        return held.reason, held.sentence
    return None


def _again(state: JobState, held: Quarantine, cycle: Cycle, now: datetime) -> JobState:
    cause = _remains(held, cycle)
    if cause is None:
        return replace(state, quarantine=None)
    reason, sentence = cause
    count = held.count + 1
    longer = replace(
        held, reason=reason, sentence=sentence, next=now + delay(count), count=count
    )
    ended = now - held.since >= LIFETIME
    return replace(state, quarantine=longer, disabled=now if ended else None)


def after_cycle(state: JobState, cycle: Cycle, registered: str) -> JobState:
    """Return how the job stands after a cycle; a good one lifts the quarantine.

    A cycle that nobody answered says nothing about the job.
    """
    now = cycle.finished or cycle.started
    state = as_registered(state, registered)
    if cycle.state == "failed" and not _is_somebodys(cycle):
        return state
    state = replace(state, failures=_failures(state, cycle))
    if state.quarantine is not None:
        return _again(state, state.quarantine, cycle, now)
    cause = _cause(cycle.attempts, state.failures, cycle.error)
    if cause is None:
        return state
    reason, sentence = cause
    imposed = Quarantine(
        since=now, reason=reason, sentence=sentence, next=now + delay(0)
    )
    return replace(state, quarantine=imposed)
