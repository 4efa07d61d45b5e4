"""Quarantine: a job that goes wrong as a whole is slowed, and at last disabled. Pure.

Microsoft looks at a job only after 5,000 failures (40 % of the events); a directory of
a hundred people would never get there, so ours counts objects of one cycle.

The breaker: a target that is down is asked seldom, for all jobs at once. Pure.

How jobs stand between cycles, and until when the scheduler leaves them alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from cloudforest.base.values import digest
from cloudforest.model.cycles import Attempts, Cycle
from cloudforest.model.jobs import (
    Breaker,
    JobState,
    Quarantine,
    QuarantineReason,
    Standing,
)
from cloudforest.model.registration import Job, Registration

LEAST_TRIES = 10
"""Objects that one cycle must have tried for the first time before its rate counts."""
WORST_RATE = 0.4
FAILED_CYCLES = 10
"""Cycles in a row that fail for what somebody has to put right."""
QUARANTINE_FIRST_DELAY = timedelta(minutes=10)
QUARANTINE_LONGEST_DELAY = timedelta(hours=24)
QUARANTINE_DOUBLINGS = 8
LIFETIME = timedelta(weeks=4)

Cause = tuple[QuarantineReason, str]


def quarantine_delay(count: int) -> timedelta:
    """Return the time to the next try: 10 minutes, doubling to a day."""
    return min(
        QUARANTINE_FIRST_DELAY * (1 << min(count, QUARANTINE_DOUBLINGS)),
        QUARANTINE_LONGEST_DELAY,
    )


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
        held,
        reason=reason,
        sentence=sentence,
        next=now + quarantine_delay(count),
        count=count,
    )
    ended = now - held.since >= LIFETIME
    return replace(state, quarantine=longer, disabled=now if ended else None)


def job_after_cycle(state: JobState, cycle: Cycle, registered: str) -> JobState:
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
        since=now, reason=reason, sentence=sentence, next=now + quarantine_delay(0)
    )
    return replace(state, quarantine=imposed)


BREAKER_FIRST_DELAY = timedelta(minutes=1)
BREAKER_LONGEST_DELAY = timedelta(minutes=30)
BREAKER_DOUBLINGS = 5
SPREAD = 0.1


def breaker_delay(failures: int, jitter: float) -> timedelta:
    """Return the time to the next try: 1 minute, doubling to 30, up to 10 % longer."""
    whole = min(
        BREAKER_FIRST_DELAY * (1 << min(failures - 1, BREAKER_DOUBLINGS)),
        BREAKER_LONGEST_DELAY,
    )
    return whole * (1 + SPREAD * jitter)


def breaker_after_cycle(
    breaker: Breaker | None, cycle: Cycle, jitter: float
) -> Breaker | None:
    """Return the breaker of the cycle's target after it; None is closed.

    Only a cycle that the target answered closes it. Of the cycles that start together
    when it is due, and of those that people start meanwhile, none makes it wait longer.
    """
    if cycle.fault not in {"target", "credential"}:
        answered = cycle.state != "failed" and cycle.requests > 0
        return None if answered else breaker
    if breaker is not None and cycle.started < breaker.next:
        return breaker
    now = cycle.finished or cycle.started
    failures = breaker.failures + 1 if breaker else 1
    return Breaker(
        since=breaker.since if breaker else now,
        reason=cycle.error or "",
        next=now + breaker_delay(failures, jitter),
        failures=failures,
    )


Hold = datetime | None
"""Not started before this; None: not until somebody starts it."""


def registered_digest(registration: Registration, job: Job) -> str:
    """Return the digest of what is registered of a job, and of both its ends."""
    return digest(
        (
            registration.programs.get(job.name),
            registration.domains().get(job.domain),
            registration.target(job.target),
        )
    )


def standings(
    registration: Registration,
    states: Mapping[str, JobState],
    breakers: Mapping[str, Breaker],
) -> dict[str, Standing]:
    """Return how each registered job stands, as it is registered now."""
    return {
        job.name: Standing(
            job=as_registered(
                states.get(job.name, JobState()), registered_digest(registration, job)
            ),
            breaker=breakers.get(job.target),
        )
        for job in registration.jobs
    }


def after_cycle(
    standing: Standing, cycle: Cycle, *, registered: str, jitter: float
) -> Standing:
    """Return how a job and its target stand after a cycle."""
    return Standing(
        job=job_after_cycle(standing.job, cycle, registered),
        breaker=breaker_after_cycle(standing.breaker, cycle, jitter),
    )


def holds(standings: Mapping[str, Standing]) -> dict[str, Hold]:
    """Return the jobs that are not simply started at their interval."""
    held: dict[str, Hold] = {}
    for name, each in standings.items():
        state = each.job
        if state.paused is not None or state.disabled is not None:
            held[name] = None
            continue
        waits = [at.next for at in (state.quarantine, each.breaker) if at is not None]
        if waits:
            held[name] = max(waits)
    return held
