"""Compute job health after a cycle: quarantine, breaker, and the resulting holds. Pure.

A job in quarantine runs less often, and is disabled after four weeks. Microsoft's
threshold is 5,000 failures (40 % of the events), which a directory of a hundred people
never reaches; ours counts the objects of one cycle. The breaker of a target that is
down holds all its jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from cloudforest.base.clock import Backoff
from cloudforest.base.values import canonical_digest
from cloudforest.model.cycles import Cycle
from cloudforest.model.jobs import (
    Breaker,
    JobHealth,
    JobState,
    Quarantine,
    QuarantineReason,
)
from cloudforest.model.registration import Job, Registration

MIN_ATTEMPTS = 10
"""First tries that a cycle needs before its failure rate counts."""
MAX_FAILURE_RATE = 0.4
MAX_FAILED_CYCLES = 10
"""Cycles in a row that failed for a reason that only a person can fix."""
FAULTS_FOR_OPERATORS = frozenset({"credential", "configuration"})
"""Why a cycle failed, if waiting does not fix it."""
QUARANTINE_BACKOFF = Backoff(first=timedelta(minutes=10), longest=timedelta(hours=24))
QUARANTINE_LIFETIME = timedelta(weeks=4)

QuarantineCause = tuple[QuarantineReason, str]
BREAKER_BACKOFF = Backoff(
    first=timedelta(minutes=1), longest=timedelta(minutes=30), jitter=0.1
)
Hold = datetime | None
"""The job does not start before this; None: not until an operator starts it."""


def reset_if_changed(state: JobState, registered: str) -> JobState:
    """Forget failures and quarantine if the registration is another one by now."""
    if state.registered == registered:
        return state
    return replace(state, registered=registered, failures=0, quarantine=None)


def _error_rate_cause(failed: int, tried: int) -> QuarantineCause:
    objects = "object" if tried == 1 else "objects"
    return "error-rate", (
        f"Writes of {failed} of {tried} {objects} failed. "
        "See `cloudforest job escrow` and `cloudforest logs`."
    )


def _find_cause(state: JobState, cycle: Cycle) -> QuarantineCause | None:
    """Return why a job goes into quarantine; retries out of escrow do not count.

    Otherwise a few old escrowed objects, retried together once a day, would be enough.
    """
    if state.failures >= MAX_FAILED_CYCLES:
        return "failed-cycles", (
            f"{state.failures} cycles in a row failed. The last error: {cycle.error}"
        )
    tried, failed = cycle.attempts.first, cycle.attempts.first_failed
    if tried >= MIN_ATTEMPTS and failed > MAX_FAILURE_RATE * tried:
        return _error_rate_cause(failed, tried)
    return None


def _find_remaining_cause(
    quarantine: Quarantine, cycle: Cycle
) -> QuarantineCause | None:
    """Return why a quarantine stays after this cycle; None lifts it."""
    if cycle.state == "failed":
        return quarantine.reason, cycle.error or quarantine.sentence
    tried, failed = cycle.attempts.total, cycle.attempts.total_failed
    if failed > MAX_FAILURE_RATE * tried:
        return _error_rate_cause(failed, tried)
    if not tried and cycle.counts.escrow and quarantine.reason == "error-rate":
        # Without a try, nothing shows that writes succeed again.
        return quarantine.reason, quarantine.sentence
    return None


def update_job_state(state: JobState, cycle: Cycle, registered: str) -> JobState:
    """Return the job's state after a cycle; a successful one lifts the quarantine.

    A cycle that failed because something did not answer changes nothing.
    """
    now = cycle.finished or cycle.started
    state = reset_if_changed(state, registered)
    if cycle.state != "failed":
        state = replace(state, failures=0)
    elif cycle.fault in FAULTS_FOR_OPERATORS:
        state = replace(state, failures=state.failures + 1)
    else:
        return state
    known = state.quarantine
    cause = _find_remaining_cause(known, cycle) if known else _find_cause(state, cycle)
    if cause is None:
        return replace(state, quarantine=None)
    since, count = (known.since, known.count + 1) if known else (now, 0)
    reason, sentence = cause
    quarantine = Quarantine(
        since=since,
        reason=reason,
        sentence=sentence,
        next=now + QUARANTINE_BACKOFF.delay(count + 1),
        count=count,
    )
    ended = now if now - since >= QUARANTINE_LIFETIME else None
    disabled = ended if known else state.disabled
    return replace(state, quarantine=quarantine, disabled=disabled)


def update_breaker(
    breaker: Breaker | None, cycle: Cycle, jitter: float
) -> Breaker | None:
    """Return the breaker of the target after a cycle; None if it is closed.

    Only a cycle that the target answers closes it. Cycles that started before the next
    try was due do not extend the wait; several jobs or an operator may start them.
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


def compute_registered_digest(registration: Registration, job: Job) -> str:
    """Return the digest of a job's program, its domain and its target."""
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
    """Return the health of each registered job, by name."""
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
    """Return the health of a job and its target after a cycle."""
    return JobHealth(
        job_state=update_job_state(health.job_state, cycle, registered),
        breaker=update_breaker(health.breaker, cycle, jitter),
    )


def compute_holds(health: Mapping[str, JobHealth]) -> dict[str, Hold]:
    """Return the holds of the jobs that do not simply start at their interval."""
    holds: dict[str, Hold] = {}
    for name, each in health.items():
        state = each.job_state
        if state.paused is not None or state.disabled is not None:
            holds[name] = None
            continue
        waits = [at.next for at in (state.quarantine, each.breaker) if at is not None]
        if waits:
            holds[name] = max(waits)
    return holds
