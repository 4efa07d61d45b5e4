"""How a job and its target stand between cycles: paused, quarantined, waited for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from cloudforest.model.value import Value

QuarantineReason = Literal["error-rate", "failed-cycles"]


class Pause(Value, frozen=True):
    """An operator's doing; `enabled: false` in the files is another matter."""

    since: datetime
    by: str


class Quarantine(Value, frozen=True):
    """A job that is slowed and flagged.

    `sentence` says what went wrong last, `count` how many cycles have left it in
    effect, `next` when the scheduler tries again.
    """

    since: datetime
    reason: QuarantineReason
    sentence: str
    next: datetime
    count: int = 0


class JobState(Value, frozen=True):
    """What is kept of a job besides its cycles.

    `failures` are the cycles in a row that failed for what somebody has to put right.
    `registered` is the digest of the registration that failures and quarantine are
    about. `disabled`: since when the job waits for `job start`, after four weeks in
    quarantine.
    """

    paused: Pause | None = None
    failures: int = 0
    quarantine: Quarantine | None = None
    disabled: datetime | None = None
    registered: str | None = None


class Breaker(Value, frozen=True):
    """A target that is down, or does not let us in: the next try, and what was said."""

    since: datetime
    reason: str
    next: datetime
    failures: int = 1


class Standing(Value, frozen=True):
    """A job, and the breaker of its target while it is open."""

    job: JobState = JobState()
    breaker: Breaker | None = None
