"""What the provisioning service works on: source rows, links, effects, cycles."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from cloudforest.model.program import ObjectType
from cloudforest.model.value import Value

Flat = dict[str, Any]
"""A resource as SCIM path -> JSON value, for example `{"name.givenName": "Zoë"}`."""

CycleKind = Literal["initial", "incremental"]
CycleState = Literal["running", "succeeded", "partial", "blocked", "failed"]
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


class SourceRow(Value, frozen=True):
    """One in-scope object as last imported; see `messages.InScope` for the fields."""

    id: str
    type: ObjectType
    dn: str
    parent: str | None
    anchor: str
    attributes: dict[str, tuple[str, ...]]


class Link(Value, frozen=True):
    """A source object and its resource; `written` is what we last wrote."""

    id: str
    type: ObjectType
    resource: str
    resource_type: str
    origin: Literal["created", "adopted"]
    anchor: str
    written: Flat


class TargetResource(Value, frozen=True):
    """A resource as found in the target, reduced to the paths asked for."""

    id: str
    values: Flat


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


class Counts(msgspec.Struct, kw_only=True, rename="camel"):
    """One set of keys, in plans and in cycles alike."""

    read: int = 0
    in_scope: int = 0
    create: int = 0
    update: int = 0
    enable: int = 0
    adopt: int = 0
    disable: int = 0
    delete: int = 0
    member_add: int = 0
    member_remove: int = 0
    purge: int = 0
    blank: int = 0
    unchanged: int = 0
    skipped: int = 0
    escrow: int = 0
    staged: int = 0


class Watermark(Value, frozen=True):
    """What a cycle ended at, and what it rests on.

    `digest` is that of the scope program and the attribute list; `directory` and
    `bindings` are `messages.Closing`'s. If any differs, the next cycle is initial.
    """

    value: str | None
    digest: str
    directory: str | None
    bindings: dict[str, str]


class Cycle(Value, frozen=True):
    """One run of a job. `error` says in a sentence why it failed.

    `unreachable`: it failed because an agent, the bus or the target did not answer.
    """

    id: str
    job: str
    target: str
    kind: CycleKind
    state: CycleState
    started: datetime
    finished: datetime | None = None
    counts: Counts = msgspec.field(default_factory=Counts)
    requests: int = 0
    error: str | None = None
    unreachable: bool = False


class LogEntry(Value, frozen=True):
    """One object and one action, never changed afterwards. Values are not kept here."""

    time: datetime
    cycle: str
    job: str
    object: str
    name: str
    action: str
    status: Literal["success", "failure", "skipped", "staged"]
    resource: str | None = None
    paths: tuple[str, ...] = ()
    http_status: int | None = None
    reason: str | None = None
    milliseconds: int = 0
