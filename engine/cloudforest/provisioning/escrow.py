"""Escrow: one object's change held back, to be tried again later."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from cloudforest.model.provisioning import Effect, Flat

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=24)
DOUBLINGS = 11
GIVEN_UP_AFTER = timedelta(days=28)
"""Counted from the first failure; Microsoft's provisioning stops then as well."""
GIVEN_UP = "given-up: "


def delay(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: 1 min, doubling to 24 h."""
    doublings = min(attempts - 1, DOUBLINGS)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def escrow(effect: Effect, reason: str, now: datetime) -> Effect:
    """Hold an effect back until its next try; after 28 days there is none."""
    attempts = effect.attempts + 1
    since = effect.since or now
    given_up = now - since >= GIVEN_UP_AFTER
    return msgspec.structs.replace(
        effect,
        state="escrowed",
        reason=GIVEN_UP + reason if given_up else reason,
        attempts=attempts,
        since=since,
        next_try=None if given_up else now + delay(attempts),
    )


def is_held(effect: Effect | None, now: datetime) -> bool:
    """Tell whether an effect is in escrow and not to be tried now."""
    if effect is None or effect.state != "escrowed":
        return False
    return effect.next_try is None or effect.next_try > now


def again(effect: Effect, prior: Effect | None) -> Effect:
    """Return an effect that is tried again as often as its elder was."""
    if prior is None or prior.state != "escrowed":
        return effect
    return msgspec.structs.replace(effect, attempts=prior.attempts, since=prior.since)


def membership_key(group: str, part: str) -> str:
    """Return the key of a change of members: a chunk by number, one by objectGUID."""
    return f"{group}/m/{part}"


def members_named(key: str) -> tuple[str, ...]:
    """Return the member that the key of a single membership names."""
    _, is_membership, part = key.partition("/m/")
    return (part,) if is_membership else ()


def after_values(effect: Effect) -> Flat:
    return {change.path: change.after for change in effect.changes}
