"""The health of a job and its target between cycles, and what a restart resets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NewType, get_args

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value

QuarantineReason = Literal["error-rate", "failed-cycles"]
ResetScope = Literal["Escrows", "QuarantineState", "Watermark", "ConnectorDataStore"]
"""The names of Microsoft Graph."""
RESET_SCOPES: tuple[ResetScope, ...] = get_args(ResetScope)
FULL_RESET = "Full"
DEFAULT_RESET: tuple[ResetScope, ...] = ("Escrows", "QuarantineState", "Watermark")
"""As in Graph: an empty resetScope is the portal's `Restart provisioning`."""
ReadKey = NewType("ReadKey", str)
"""The name that a job's data is kept under, to read the data only."""
LiveKey = NewType("LiveKey", ReadKey)
"""The name of the job itself, which its live data is kept under."""
ScratchKey = NewType("ScratchKey", ReadKey)
"""The name that the data of one preview is kept under, until it is dropped."""
WriteKey = LiveKey | ScratchKey
"""What methods of the store that write take, instead of a string.

So a preview, which has a ScratchKey and only a ReadKey of its job, cannot write into
the job's live data by accident.
"""
_MAX_KEY_LENGTH = 200


class Pause(Value, frozen=True):
    """An operator paused the job; `enabled: false` in the files is separate."""

    since: datetime
    by: str


class Quarantine(Value, frozen=True):
    """A job that runs less often and is flagged.

    `sentence` describes the last failure, `count` is the number of cycles that extended
    the quarantine, and `next` is when the scheduler tries again.
    """

    since: datetime
    reason: QuarantineReason
    sentence: str
    next: datetime
    count: int = 0


class JobState(Value, frozen=True):
    """What the store keeps of a job, in addition to its cycles.

    `failures` counts the latest cycles in a row that failed for a reason that only a
    person can fix. `registered` is the digest of the registration that `failures` and
    `quarantine` belong to. `disabled` is when four weeks of quarantine ended; the job
    has waited for `job start` since then.
    """

    paused: Pause | None = None
    failures: int = 0
    quarantine: Quarantine | None = None
    disabled: datetime | None = None
    registered: str | None = None


class Breaker(Value, frozen=True):
    """A target that is down or rejects our credentials: why, and the next try."""

    since: datetime
    reason: str
    next: datetime
    failures: int = 1


class JobHealth(Value, frozen=True):
    """The state of a job, and the breaker of its target while it is open."""

    job_state: JobState = JobState()
    breaker: Breaker | None = None


def parse_reset_scopes(names: Sequence[str]) -> frozenset[ResetScope]:
    """Return the scopes to reset; raise Misconfigured for an unknown name."""
    known = {each.lower(): frozenset({each}) for each in RESET_SCOPES}
    known[FULL_RESET.lower()] = frozenset(RESET_SCOPES)
    words = [each.strip() for each in names if each.strip()]
    if unknown := [each for each in words if each.lower() not in known]:
        raise Misconfigured(
            f"Unknown reset scope: {', '.join(unknown)}. Choose one or more of "
            f"{', '.join([*RESET_SCOPES, FULL_RESET])}, separated by commas."
        )
    named = frozenset[ResetScope]().union(*(known[each.lower()] for each in words))
    return named or frozenset(DEFAULT_RESET)


def live_key(job: str) -> LiveKey:
    """Return the key to read and write a job's live data; not for previews."""
    return LiveKey(ReadKey(job))


def scratch_key(job: str, plan_digest: str, cycle: str) -> ScratchKey:
    """Return the name that a preview's data is kept under."""
    name = f"plan:{plan_digest[:32]}:{cycle}:{job}"
    return ScratchKey(ReadKey(name[:_MAX_KEY_LENGTH]))


class JobKey(Value, frozen=True):
    """The key of a job's data, with the keys of its sibling jobs.

    With `only_object`, the cycle looks at that object alone and leaves the effects of
    all others unchanged.
    """

    job: ReadKey
    siblings: tuple[ReadKey, ...]
    target: str
    only_object: str | None = None

    @property
    def all_jobs(self) -> tuple[ReadKey, ...]:
        return (self.job, *self.siblings)
