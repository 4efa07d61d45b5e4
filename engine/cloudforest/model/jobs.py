"""How a job and its target stand between cycles: paused, quarantined, waited for.

What a restart forgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NewType, get_args

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value

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


class JobHealth(Value, frozen=True):
    """A job, and the breaker of its target while it is open."""

    job_state: JobState = JobState()
    breaker: Breaker | None = None


ResetScope = Literal["Escrows", "QuarantineState", "Watermark", "ConnectorDataStore"]
"""The names are Microsoft Graph's."""

RESET_SCOPES: tuple[ResetScope, ...] = get_args(ResetScope)
FULL_RESET = "Full"
DEFAULT_RESET: tuple[ResetScope, ...] = ("Escrows", "QuarantineState", "Watermark")
"""As in Graph: an empty resetScope is the portal's `Restart provisioning`."""


def parse_reset_scopes(names: Sequence[str]) -> frozenset[ResetScope]:
    """Return what is to be reset; raises Misconfigured for a name that is none."""
    known: dict[str, tuple[ResetScope, ...]] = {
        each.lower(): (each,) for each in RESET_SCOPES
    }
    known[FULL_RESET.lower()] = RESET_SCOPES
    words = [each.strip() for each in names if each.strip()]
    if unknown := [each for each in words if each.lower() not in known]:
        raise Misconfigured(
            f"{', '.join(unknown)} can't be reset; write one or more of "
            f"{', '.join([*RESET_SCOPES, FULL_RESET])}, with commas between."
        )
    return frozenset(scope for each in words for scope in known[each.lower()]) or (
        frozenset(DEFAULT_RESET)
    )


KeyName = NewType("KeyName", str)
"""The name that a job's data is kept under: the job's own, or a scratch key.

The store takes no plain string for it, so that a preview, which knows the name of its
job, cannot write into the job's live data by accident.
"""
ScratchKey = NewType("ScratchKey", KeyName)
"""The name that the data of one preview is kept under, until it is dropped."""
_MAX_KEY_LENGTH = 200


def live_key(job: str) -> KeyName:
    """Return the name that a job's live data is kept under."""
    return KeyName(job)


def scratch_key(job: str, plan_digest: str, cycle: str) -> ScratchKey:
    """Return the name that a preview's data is kept under."""
    name = f"plan:{plan_digest[:32]}:{cycle}:{job}"
    return ScratchKey(KeyName(name[:_MAX_KEY_LENGTH]))


class JobKey(Value, frozen=True):
    """A job (or a scratch name) and the others that write to the same target.

    `only`: nobody else is looked at, so the effects of others stand as they are.
    """

    job: KeyName
    siblings: tuple[KeyName, ...]
    target: str
    only_object: str | None = None

    @property
    def all_jobs(self) -> tuple[KeyName, ...]:
        return (self.job, *self.siblings)
