"""Effects: intended writes, and what became of them.

Escrow: one object's change held back, to be tried again later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from cloudforest.base.clock import Backoff
from cloudforest.base.values import Value, canonical_digest
from cloudforest.model.program import ObjectType
from cloudforest.model.source import FlatResource, Link, Presence

EffectState = Literal["pending", "staged", "escrowed", "discarded", "skipped", "done"]
"""`discarded` and `skipped` stay in the outbox so that they are not proposed again."""
Action = Literal[
    "create", "update", "adopt", "enable", "disable", "delete", "reference", "members"
]
"""`reference` goes with another write of the same object; alone it is an `update`."""

PHASE_REFERENCED_FIRST = 0
"""Creations of those whom other creations refer to, so that these can name them."""
PHASE_WRITE = 1
"""Creates, adoptions and updates, without references."""
PHASE_LEAVER_MEMBERSHIPS = 2
"""Memberships of those who are to be deleted: not every target removes them itself."""
PHASE_DEPROVISION = 3
"""Disables and deletes."""
PHASE_RETRY = 4
"""Updates in conflict, when what was in their way may be gone."""
PHASE_ADOPT = 5
"""Creations in conflict: what is in their way may be the object itself."""
PHASE_REFERENCE = 6
"""References and memberships, after both ends exist."""
PHASES = (
    *(PHASE_REFERENCED_FIRST, PHASE_WRITE, PHASE_LEAVER_MEMBERSHIPS, PHASE_DEPROVISION),
    *(PHASE_RETRY, PHASE_ADOPT, PHASE_REFERENCE),
)
ESCROW_BACKOFF = Backoff(first=timedelta(minutes=1), longest=timedelta(hours=24))
GIVEN_UP_AFTER = timedelta(days=28)
"""Counted from the first failure; Microsoft's provisioning stops then as well."""
GIVEN_UP_PREFIX = "given-up: "


class Change(Value, frozen=True):
    """One path of one resource; None is absence.

    `how`: `set` makes the value so; `add` sends the values that are new, and leaves
    those that others wrote; `again` sends what we wrote already; `last` takes away the
    last part that we wrote of an e-mail or address, and so the whole of it.
    """

    path: str
    before: Any = None
    after: Any = None
    how: Literal["set", "add", "again", "last"] = "set"

    @property
    def is_sent(self) -> bool:
        """Whether a request says it; a change from a value to itself is a witness."""
        return self.before != self.after or self.how == "again"

    @property
    def clears(self) -> bool:
        """Whether the change removes a value."""
        return self.after is None and self.before is not None


class ReferenceChange(Value, frozen=True):
    """A reference by objectGUID of the source; None removes it.

    `before` is the resource id that the target holds as far as we know. `unless` is the
    object that it names: the reference is left alone while that has a resource.
    `missing`: while `to` has no resource, its objectGUID is written in place of one.
    """

    path: str
    to: str | None
    before: str | None = None
    unless: str | None = None
    missing: bool = False


class Effect(Value, frozen=True):
    """One intended write. `key` is unique in a job: an effect replaces its elder.

    `changes` are complete for a create and an adoption (where `before` and `after` may
    be equal). A create with a `resource` is one of ours whose answer was lost.
    `references` are resolved at export; those of a creation are written with it, or
    else by the effect `/r`, which waits. `add` and `remove` are members by objectGUID,
    at most what one request may carry; `present` are those that the resource was found
    to have already. `guards` are the budgets that count it. `desired` is the digest of
    what the object should look like; `sent`: its creation may have reached the target.
    `because` says why access is taken away: the object is out of scope or gone. `stage`
    is the digest of the stage it waits in, or was released from. `since` is its first
    failure; in escrow without a `next_try` it was given up.
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
        """Whether it creates a resource; one we created and found again has an id."""
        return self.action == "create" and self.resource is None

    @property
    def sends_request(self) -> bool:
        """Whether it needs a request, and not only a link."""
        if self.is_creation or self.action == "delete":
            return True
        differs = any(each.is_sent for each in self.changes)
        return differs or bool(self.references or self.add or self.remove)

    @property
    def after_values(self) -> FlatResource:
        return {change.path: change.after for change in self.changes}

    @property
    def fingerprint(self) -> str:
        """The digest of what it would do: a stage decision covers equal ones."""
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
        return msgspec.structs.replace(
            self, attempts=previous.attempts, since=previous.since
        )

    def escrowed(self, reason: str, now: datetime) -> Effect:
        """Return it in escrow until its next try; after 28 days it is given up."""
        attempts = self.attempts + 1
        since = self.since or now
        given_up = now - since >= GIVEN_UP_AFTER
        return msgspec.structs.replace(
            self,
            state="escrowed",
            reason=GIVEN_UP_PREFIX + reason if given_up else reason,
            attempts=attempts,
            since=since,
            next_try=None if given_up else now + ESCROW_BACKOFF.delay(attempts),
        )


class EvaluatedBatch(Value, frozen=True):
    """A batch of rows, by objectGUID: what they need, and whom they refer to.

    A row without an effect needs nothing. `references` has the rows that were mapped.
    `left` are those that are another job's from now on: the job forgets them.
    """

    ids: tuple[str, ...]
    effects: tuple[Effect, ...]
    references: dict[str, tuple[str, ...]]
    kept_by_siblings: tuple[str, ...] = ()


class Outcome(Value, frozen=True):
    """What became of an effect.

    `link` is to be stored (created, adopted, or rewritten); `added` and `removed` are
    the members that the target now has or no longer has. `reason` is a sentence without
    values when `state` is escrowed. `unlinked`: the resource is no longer there, and
    `link` is to be forgotten with all that was written about it.
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
    """Return the key of a change of members: a chunk by number, one by objectGUID."""
    return f"{group}/m/{part}"


def parse_membership_member(key: str) -> tuple[str, ...]:
    """Return the member that the key of a single membership names."""
    _, is_membership, part = key.partition("/m/")
    return (part,) if is_membership else ()
