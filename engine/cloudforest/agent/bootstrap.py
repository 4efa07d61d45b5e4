"""When to bootstrap: at intervals, before a credential ends, and after failures."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloudforest.model.identity import (
    BootstrapRequest,
    BootstrapResponse,
    EnrolRequest,
    EnrolResponse,
)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 120.0


class ControlPlane(Protocol):
    """The control plane, over HTTP. Raises Unavailable, Rejected or Refused."""

    async def enrol(self, request: EnrolRequest) -> EnrolResponse: ...

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse: ...


@dataclass(frozen=True)
class Lease:
    """A bus credential in use. nats-py does not survive its end, so leave earlier."""

    taken: datetime
    expires: datetime

    def renew_at(self) -> datetime:
        return self.taken + (self.expires - self.taken) * 2 / 3


def seconds_until_next(now: datetime, lease: Lease | None, every: float) -> float:
    """Return the seconds to wait after a bootstrap that went well."""
    if lease is None:
        return every
    remaining = max((lease.renew_at() - now).total_seconds(), 0.0)
    return min(every, remaining)


def pause_after(failures: int) -> float:
    """Return seconds: exponential, with jitter so that agents do not come together."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 20))
    return random.uniform(longest / 2, longest)  # noqa: S311 - it spreads load
