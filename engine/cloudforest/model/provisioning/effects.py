"""Effects: intended writes, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning.rows import Link
from cloudforest.model.value import Value

EffectState = Literal["pending", "staged", "escrowed", "done"]
Action = Literal[
    "create", "update", "adopt", "enable", "disable", "delete", "reference", "members"
]
"""`reference` goes with another write of the same object; alone it is an `update`."""

PHASE_WRITE = 1
"""Creates, adoptions and updates, without references."""
PHASE_DEPROVISION = 2
"""Disables and deletes."""
PHASE_REFERENCE = 4
"""References and memberships, after both ends exist. (3 retries conflicts.)"""


class Change(Value, frozen=True):
    """One path of one resource; None is absence."""

    path: str
    before: Any = None
    after: Any = None


class ReferenceChange(Value, frozen=True):
    """A reference by objectGUID of the source; None removes it.

    `before` is the resource id that the target holds as far as we know.
    """

    path: str
    to: str | None
    before: str | None = None


class Effect(Value, frozen=True):
    """One intended write. `key` is unique in a job: an effect replaces its elder.

    `changes` are complete for a create and an adoption (where `before` and `after` may
    be equal). A create with a `resource` is one of ours whose answer was lost.
    `references` are resolved at export. `add` and `remove` are members by objectGUID,
    at most what one request may carry; `present` are those that the resource was found
    to have already. `guards` are the budgets that count it. `desired` is the digest of
    what the object should look like; `sent`: its creation may have reached the target.
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


class EvaluatedRows(Value, frozen=True):
    """A batch of rows, by objectGUID: what they need, and whom they refer to.

    A row without an effect needs nothing. `references` has the rows that were mapped.
    """

    ids: tuple[str, ...]
    effects: tuple[Effect, ...]
    references: dict[str, tuple[str, ...]]


class Outcome(Value, frozen=True):
    """What became of an effect.

    `link` is to be stored (created, adopted, or rewritten); `added` and `removed` are
    the members that the target now has or no longer has. `reason` is a sentence without
    values when `state` is escrowed.
    """

    effect: Effect
    state: EffectState
    link: Link | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    status: int | None = None
    reason: str | None = None
    milliseconds: int = 0
