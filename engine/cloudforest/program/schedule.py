"""When a job starts next."""

from __future__ import annotations

from datetime import datetime, timedelta

SPREAD = 0.1


def next_start(
    *, previous: datetime | None, now: datetime, interval: timedelta, jitter: float
) -> datetime:
    """Return when to start; never before `now`.

    `previous` is the start of the last cycle; a job without one starts at once. Ticks
    that were missed are one start, at `now`; so is the time that a clock which was set
    back would have to make up. `jitter` in [0, 1) is constant for a job
    and lengthens its interval by up to a tenth, so that jobs drift apart.
    """
    if previous is None or previous > now:
        return now
    return max(now, previous + interval * (1 + SPREAD * jitter))
