"""The breaker: a target that is down is asked seldom, for all jobs at once. Pure."""

from __future__ import annotations

from datetime import timedelta

from cloudforest.model.provisioning import Breaker, Cycle

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(minutes=30)
DOUBLINGS = 5
SPREAD = 0.1


def delay(failures: int, jitter: float) -> timedelta:
    """Return the time to the next try: 1 minute, doubling to 30, up to 10 % longer."""
    whole = min(FIRST_DELAY * (1 << min(failures - 1, DOUBLINGS)), LONGEST_DELAY)
    return whole * (1 + SPREAD * jitter)


def after_cycle(breaker: Breaker | None, cycle: Cycle, jitter: float) -> Breaker | None:
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
        next=now + delay(failures, jitter),
        failures=failures,
    )
