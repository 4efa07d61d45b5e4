"""Effects: intended writes, their outcomes, and escrow, where they wait for a retry."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec.structs import replace

from cloudforest.base.clock import Backoff
from cloudforest.base.values import Value, canonical_digest
from cloudforest.model.program import ObjectType
from cloudforest.model.source import FlatResource, Link, Presence

EffectState = Literal["pending", "staged", "escrowed", "discarded", "skipped", "done"]
"""`discarded` and `skipped` stay in the outbox: they are not proposed again."""
Action = Literal[
    "create", "update", "adopt", "enable", "disable", "delete", "reference", "members"
]
"""`reference` goes with another write of the same object; alone, it is an `update`."""

PHASE_REFERENCED_FIRST = 0
"""Creations that other creations refer to."""
PHASE_WRITE = 1
"""Creates, adoptions and updates, without references."""
PHASE_LEAVER_MEMBERSHIPS = 2
"""Memberships of objects about to be deleted: not every target removes them itself."""
PHASE_DEPROVISION = 3
"""Disables and deletes."""
PHASE_RETRY = 4
"""Updates in conflict: by now, the value may be free."""
PHASE_ADOPT = 5
"""Creations in conflict: the resource in the way may be the object's own."""
PHASE_REFERENCE = 6
"""References and memberships, after both ends exist."""
PHASES = range(PHASE_REFERENCED_FIRST, PHASE_REFERENCE + 1)
ESCROW_BACKOFF = Backoff(first=timedelta(minutes=1), longest=timedelta(hours=24))
GIVEN_UP_AFTER = timedelta(days=28)
"""Counted from the first failure, as in Microsoft's provisioning."""
GIVEN_UP_PREFIX = "given-up: "


class Change(Value, frozen=True):
    """A change of one path of one resource; None means no value.

    `how`: `set` replaces the value. `add` sends only new values, and keeps those that
    others wrote. `again` repeats what we wrote. `last` removes the last part that we
    wrote of an e-mail or address, and with it the whole item.
    """

    path: str
    before: Any = None
    after: Any = None
    how: Literal["set", "add", "again", "last"] = "set"

    @property
    def is_sent(self) -> bool:
        """Whether a request carries it. A value kept as found is only recorded."""
        return self.before != self.after or self.how == "again"

    @property
    def clears(self) -> bool:
        """Whether the change removes a value."""
        return self.after is None and self.before is not None


class ReferenceChange(Value, frozen=True):
    """A change of a reference; `to` is an objectGUID, None removes the reference.

    `before` is the resource id that the target holds, as far as we know. `unless`: an
    objectGUID; the reference stays while this object has a resource. `missing`: while
    `to` has no resource, its objectGUID is written instead.
    """

    path: str
    to: str | None
    before: str | None = None
    unless: str | None = None
    missing: bool = False


class Effect(Value, frozen=True):
    """One intended write. `key` is unique in a job: a new effect replaces the previous.

    `changes` are complete for a create and an adoption (`before` and `after` may be
    equal). A create with a `resource` was ours, but its answer was lost. `references`
    are resolved at export. Those of a creation are written with it, or later by the
    effect `GUID/r`. `add` and `remove` are members by objectGUID, at most one request's
    worth; `present` are members that the resource already has. `guards` are the budgets
    that count it. `desired` is the digest of the wanted object. `sent`: its creation
    may have reached the target. `because`: why access is removed (out of scope, gone).
    `stage`: the digest of the stage that holds or released it. `since`: the time of its
    first failure. An escrowed effect without `next_try` is given up.
    """

    key: str
    id: str
    type: ObjectType
    resource_type: str
    action: Action
    phase: int
    anchor: str
    resource: str | None = None
    changes: tuple[Change, ...] = ()
    references: tuple[ReferenceChange, ...] = ()
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    state: EffectState = "pending"
    attempts: int = 0
    next_try: datetime | None = None
    reason: str | None = None
    desired: str | None = None
    sent: bool = False
    because: Presence | None = None
    stage: str | None = None
    since: datetime | None = None

    @property
    def is_creation(self) -> bool:
        """Whether it creates a resource; with `resource`, an earlier try did."""
        return self.action == "create" and self.resource is None

    @property
    def sends_request(self) -> bool:
        """Whether it needs a request; otherwise it only stores a link."""
        if self.is_creation or self.action == "delete":
            return True
        differs = any(each.is_sent for each in self.changes)
        return differs or bool(self.references or self.add or self.remove)

    @property
    def after_values(self) -> FlatResource:
        return {change.path: change.after for change in self.changes}

    @property
    def fingerprint(self) -> str:
        """The digest of what it would do. A stage decision covers equal ones."""
        sent = [each for each in self.changes if each.is_sent]
        target = (self.key, self.action, self.resource)
        return canonical_digest((*target, sent, self.references, self.add, self.remove))

    def charge(self, guard: str) -> int:
        """Return how much it counts in a budget."""
        return len(self.remove) if guard == "memberRemovals" else 1

    def is_held(self, now: datetime) -> bool:
        """Tell whether it is in escrow and its next try is not due."""
        if self.state != "escrowed":
            return False
        return self.next_try is None or self.next_try > now

    def retried_as(self, previous: Effect | None) -> Effect:
        """Return it with the failed attempts of the effect that it replaces."""
        if previous is None or previous.state != "escrowed":
            return self
        return replace(self, attempts=previous.attempts, since=previous.since)

    def escrowed(self, reason: str, now: datetime) -> Effect:
        """Return it in escrow until its next try; after 28 days it is given up."""
        attempts = self.attempts + 1
        since = self.since or now
        given_up = now - since >= GIVEN_UP_AFTER
        return replace(
            self,
            state="escrowed",
            reason=GIVEN_UP_PREFIX + reason if given_up else reason,
            attempts=attempts,
            since=since,
            next_try=None if given_up else now + ESCROW_BACKOFF.delay(attempts),
        )


class EvaluatedBatch(Value, frozen=True):
    """The effects and references of a batch of objects, by objectGUID.

    An object without an effect needs nothing. `references` covers the mapped objects.
    `kept_by_siblings` now belong to another job: this job forgets them.
    """

    ids: tuple[str, ...]
    effects: tuple[Effect, ...]
    references: dict[str, tuple[str, ...]]
    kept_by_siblings: tuple[str, ...] = ()


class Outcome(Value, frozen=True):
    """The result of an attempt at an effect.

    `link` is stored (created, adopted, or rewritten). `added` and `removed` are the
    members that the target now has, or no longer has. `reason`, if escrowed, is a
    sentence without values. `unlinked`: the resource is gone, so `link` and everything
    written about it are forgotten.
    """

    effect: Effect
    state: EffectState
    link: Link | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    status: int | None = None
    reason: str | None = None
    milliseconds: int = 0
    unlinked: bool = False


def build_membership_key(group: str, part: str) -> str:
    """Return the key of a change of members.

    `part` is the number of a request, or the objectGUID of a single member.
    """
    return f"{group}/m/{part}"


def parse_membership_member(key: str) -> tuple[str, ...]:
    """Return the part of a membership key: for a single membership, the member."""
    _, is_membership, part = key.partition("/m/")
    return (part,) if is_membership else ()
