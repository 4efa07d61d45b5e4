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

from cloudforest.base.clock import Backoff
from cloudforest.base.values import canonical_digest
from cloudforest.model.cycles import Attempts, Cycle
from cloudforest.model.jobs import (
    Breaker,
    JobHealth,
    JobState,
    Quarantine,
    QuarantineReason,
)
from cloudforest.model.registration import Job, Registration

MIN_ATTEMPTS = 10
"""Objects that one cycle must have tried for the first time before its rate counts."""
MAX_FAILURE_RATE = 0.4
MAX_FAILED_CYCLES = 10
"""Cycles in a row that fail for what somebody has to put right."""
QUARANTINE_BACKOFF = Backoff(first=timedelta(minutes=10), longest=timedelta(hours=24))
QUARANTINE_LIFETIME = timedelta(weeks=4)

QuarantineCause = tuple[QuarantineReason, str]


def reset_if_changed(state: JobState, registered: str) -> JobState:
    """Forget the failures of what is registered no longer."""
    if state.registered == registered:
        return state
    return replace(state, registered=registered, failures=0, quarantine=None)


def _needs_operator(cycle: Cycle) -> bool:
    """Tell whether it failed for what waiting does not mend."""
    return cycle.fault in {"credential", "configuration"}


def _count_failures(state: JobState, cycle: Cycle) -> int:
    return state.failures + 1 if cycle.state == "failed" else 0


def _error_rate_cause(failed: int, tried: int) -> QuarantineCause:
    return "error-rate", (
        f"{failed} of the {tried} objects that the cycle tried to write failed; "
        "see why with `job escrow` and `logs`."
    )


def _find_cause(
    attempts: Attempts, failures: int, error: str | None
) -> QuarantineCause | None:
    """Return why a job goes into quarantine; objects that are tried again are no news.

    Else some old escrows, tried together once a day, would look like a disaster.
    """
    if failures >= MAX_FAILED_CYCLES:
        return "failed-cycles", f"{failures} cycles in a row failed: {error}"
    tried, failed = attempts.first, attempts.first_failed
    if tried >= MIN_ATTEMPTS and failed > MAX_FAILURE_RATE * tried:
        return _error_rate_cause(failed, tried)
    return None


def _find_remaining_cause(
    quarantine: Quarantine, cycle: Cycle
) -> QuarantineCause | None:
    """Return what speaks against lifting a quarantine after this cycle."""
    if cycle.state == "failed":
        return quarantine.reason, cycle.error or quarantine.sentence
    tried, failed = cycle.attempts.total, cycle.attempts.total_failed
    if failed > MAX_FAILURE_RATE * tried:
        return _error_rate_cause(failed, tried)
    if not tried and cycle.counts.escrow and quarantine.reason == "error-rate":
        # Nothing was tried, so nothing is known to be better.
        return quarantine.reason, quarantine.sentence
    return None


def _extend_or_lift(
    state: JobState, quarantine: Quarantine, cycle: Cycle, now: datetime
) -> JobState:
    cause = _find_remaining_cause(quarantine, cycle)
    if cause is None:
        return replace(state, quarantine=None)
    reason, sentence = cause
    count = quarantine.count + 1
    longer = replace(
        quarantine,
        reason=reason,
        sentence=sentence,
        next=now + QUARANTINE_BACKOFF.delay(count + 1),
        count=count,
    )
    ended = now - quarantine.since >= QUARANTINE_LIFETIME
    return replace(state, quarantine=longer, disabled=now if ended else None)


def update_job_state(state: JobState, cycle: Cycle, registered: str) -> JobState:
    """Return how the job stands after a cycle; a good one lifts the quarantine.

    A cycle that nobody answered says nothing about the job.
    """
    now = cycle.finished or cycle.started
    state = reset_if_changed(state, registered)
    if cycle.state == "failed" and not _needs_operator(cycle):
        return state
    state = replace(state, failures=_count_failures(state, cycle))
    if state.quarantine is not None:
        return _extend_or_lift(state, state.quarantine, cycle, now)
    cause = _find_cause(cycle.attempts, state.failures, cycle.error)
    if cause is None:
        return state
    reason, sentence = cause
    imposed = Quarantine(
        since=now,
        reason=reason,
        sentence=sentence,
        next=now + QUARANTINE_BACKOFF.delay(1),
    )
    return replace(state, quarantine=imposed)


BREAKER_BACKOFF = Backoff(
    first=timedelta(minutes=1), longest=timedelta(minutes=30), jitter=0.1
)


def update_breaker(
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
        next=now + BREAKER_BACKOFF.delay(failures, jitter),
        failures=failures,
    )


Hold = datetime | None
"""Not started before this; None: not until somebody starts it."""


def compute_registered_digest(registration: Registration, job: Job) -> str:
    """Return the digest of what is registered of a job, and of both its ends."""
    return canonical_digest(
        (
            registration.programs.get(job.name),
            registration.domains_by_name().get(job.domain),
            registration.find_target(job.target),
        )
    )


def compute_job_health(
    registration: Registration,
    states: Mapping[str, JobState],
    breakers: Mapping[str, Breaker],
) -> dict[str, JobHealth]:
    """Return how each registered job stands, as it is registered now."""
    return {
        job.name: JobHealth(
            job_state=reset_if_changed(
                states.get(job.name, JobState()),
                compute_registered_digest(registration, job),
            ),
            breaker=breakers.get(job.target),
        )
        for job in registration.jobs
    }


def update_health(
    health: JobHealth, cycle: Cycle, *, registered: str, jitter: float
) -> JobHealth:
    """Return how a job and its target stand after a cycle."""
    return JobHealth(
        job_state=update_job_state(health.job_state, cycle, registered),
        breaker=update_breaker(health.breaker, cycle, jitter),
    )


def compute_holds(health: Mapping[str, JobHealth]) -> dict[str, Hold]:
    """Return the jobs that are not simply started at their interval."""
    held: dict[str, Hold] = {}
    for name, each in health.items():
        state = each.job_state
        if state.paused is not None or state.disabled is not None:
            held[name] = None
            continue
        waits = [at.next for at in (state.quarantine, each.breaker) if at is not None]
        if waits:
            held[name] = max(waits)
    return held
