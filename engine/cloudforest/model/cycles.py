"""Cycles of a job: what they counted, what they started from, what they did.

The provisioning log: what was done to whom, and how to ask for it.

Whom a plan's effects touch: by attribute and by reason, without a value.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.effects import Change, Effect
from cloudforest.model.program import ObjectType

CycleKind = Literal["initial", "incremental"]
CycleState = Literal["running", "succeeded", "partial", "blocked", "failed"]
CycleFault = Literal["unreachable", "target", "credential", "configuration"]
"""Why a cycle failed as a whole: agents, bus or store did not answer; the target did
not; it does not let us in; or what it was given can't be used."""


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

    def count(self, effect: Effect, *, by: int = 1) -> None:
        """Count a pending effect; `by=-1` takes it back."""
        match effect.action:
            case "reference":
                pass
            case "members":
                self.member_add += by * len(effect.add)
                self.member_remove += by * len(effect.remove)
            case _:
                setattr(self, effect.action, getattr(self, effect.action) + by)
        self.blank += by * sum(each.clears for each in effect.changes)
        self.blank += by * sum(each.to is None for each in effect.references)

    def forget_writes(self) -> None:
        """Reset the counts of writes that were evaluated but not sent."""
        for name in ("create", "update", "enable", "adopt", "disable", "delete"):
            setattr(self, name, 0)
        self.member_add = self.member_remove = self.blank = 0


class Attempts(msgspec.Struct, kw_only=True, rename="camel"):
    """Objects that a cycle tried to write, references and members aside.

    `first`: for the first time, as far as their escrow knows; `again`: out of escrow.
    """

    first: int = 0
    first_failed: int = 0
    again: int = 0
    again_failed: int = 0

    @property
    def total(self) -> int:
        return self.first + self.again

    @property
    def total_failed(self) -> int:
        return self.first_failed + self.again_failed

    def count_attempt(self, *, previous_attempts: int, failed: bool) -> None:
        """Count an object that had failed so many times before."""
        if previous_attempts:
            self.again += 1
            self.again_failed += failed
        else:
            self.first += 1
            self.first_failed += failed


class Watermark(Value, frozen=True):
    """What a cycle ended at, and what it rests on.

    `digest` is that of the scope program and the attribute list; `directory`,
    `bindings` and `nested` are `messages.Closing`'s. If the digest differs, the next
    cycle is initial; another directory is refused. `lacks` are the rights without which
    deletions are not seen; then everything managed is asked for by objectGUID once a
    day, last at `asked`.
    """

    value: str | None
    digest: str
    directory: str | None
    bindings: dict[str, str]
    nested: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    asked: datetime | None = None


class ImportEnd(Value, frozen=True):
    """How an import ended.

    `full` are the types of which everything was read; `whole`: the import started from
    nothing. `complete`: a group that was read has no other members than were named.
    `members`: all members of the scope's groups were sent. `again` are those that are
    asked by objectGUID though nothing was said of them; `managed` takes in `unknown`.
    """

    watermark: Watermark
    fully_read_types: tuple[ObjectType, ...] = ()
    is_initial: bool = False
    has_all_members: bool = True
    has_scope_members: bool = False
    inquire_about: Literal["nobody", "unknown", "managed"] = "nobody"


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
    fault: CycleFault | None = None
    attempts: Attempts = msgspec.field(default_factory=Attempts)


LogAction = Literal[
    "create", "update", "adopt", "enable", "disable", "delete", "members", "read"
]
"""`read`: an object could not be read, and so nothing was decided about it."""
LogStatus = Literal["success", "failure", "skipped", "staged"]


class LoggedMembers(Value, frozen=True):
    """How many members came and went, and the objectGUIDs of the first of them."""

    added: int
    removed: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class LogEntry(Value, frozen=True):
    """One object and one action, never changed afterwards.

    `paths` are those that the action is about; `changes` say what was there and what is
    to be there, with a fixed mark in place of sensitive values and with resource ids in
    place of references. A failure says what was tried.
    """

    time: datetime
    cycle: str
    job: str
    object: str
    name: str
    action: str
    status: LogStatus
    type: ObjectType | None = None
    resource: str | None = None
    paths: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    members: LoggedMembers | None = None
    http_status: int | None = None
    reason: str | None = None
    milliseconds: int = 0


class LogQuery(Value, frozen=True):
    """Which entries; None: whatever it is. `until` itself is no longer meant.

    `object` is an objectGUID, or the name under which an object was logged.
    """

    job: str | None = None
    object: str | None = None
    action: LogAction | None = None
    status: LogStatus | None = None
    cycle: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AttributeCount(Value, frozen=True):
    """How many resources that exist get a value of an attribute, or lose it."""

    type: ObjectType
    attribute: str
    set: int = 0
    cleared: int = 0


class ReasonCount(Value, frozen=True):
    reason: str
    count: int


class LeaverCount(Value, frozen=True):
    """How many lose access for a reason, and how: `disable` or `delete`."""

    type: ObjectType
    action: str
    reason: str
    count: int


class Sample(Value, frozen=True):
    """One of those whom an action touches, by name, and why."""

    action: str
    name: str
    reason: str


class Breakdown(Value, frozen=True):
    """`leavers` lose access because they are out of scope or gone.

    What a guard would hold back is counted too: that is what has to be decided.
    `samples` is empty unless names were asked for.
    """

    attributes: tuple[AttributeCount, ...] = ()
    groups_emptied: int = 0
    leavers: tuple[LeaverCount, ...] = ()
    escrow_reasons: tuple[ReasonCount, ...] = ()
    samples: tuple[Sample, ...] = ()
