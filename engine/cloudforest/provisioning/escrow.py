"""Escrow: one object's change held back, to be tried again later."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from cloudforest.model.provisioning import Effect, Flat

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=24)
DOUBLINGS = 11


def delay(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: 1 min, doubling to 24 h."""
    doublings = min(attempts - 1, DOUBLINGS)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def escrow(effect: Effect, reason: str, now: datetime) -> Effect:
    attempts = effect.attempts + 1
    return msgspec.structs.replace(
        effect,
        state="escrowed",
        reason=reason,
        attempts=attempts,
        next_try=now + delay(attempts),
    )


def is_held(effect: Effect | None, now: datetime) -> bool:
    """Tell whether an effect is in escrow and its next try still to come."""
    return (
        effect is not None
        and effect.state == "escrowed"
        and effect.next_try is not None
        and effect.next_try > now
    )


def membership_key(group: str, part: str) -> str:
    """Return the key of a change of members: a chunk by number, one by objectGUID."""
    return f"{group}/m/{part}"


def after_values(effect: Effect) -> Flat:
    return {change.path: change.after for change in effect.changes}
