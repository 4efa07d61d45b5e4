"""Cycles with their counts and watermarks, log entries, and breakdowns of plans."""

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
"""Why a whole cycle failed: agents, bus or store did not answer; the target did not
answer; it rejected our credentials; or the configuration cannot be used."""
LogAction = Literal[
    "create", "update", "adopt", "enable", "disable", "delete", "members", "read"
]
"""`read`: an object could not be read, so the cycle decided nothing about it."""
LogStatus = Literal["success", "failure", "skipped", "staged"]


class Counts(msgspec.Struct, kw_only=True, rename="camel"):
    """The counts of a cycle or a plan, with the same keys in both."""

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
    """How many objects a cycle tried to write, without references and members.

    `first` counts first tries, `again` counts retries out of escrow.
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
        """Count one try of an object, given the number of its failed ones before."""
        if previous_attempts:
            self.again += 1
            self.again_failed += failed
        else:
            self.first += 1
            self.first_failed += failed


class Watermark(Value, frozen=True):
    """Where an import ended, and what it rests on.

    `digest` covers the scope program and the attribute list; if it differs, the next
    cycle is initial. `directory`, `bindings` and `nested` come from `messages.Closing`;
    another directory is refused. `lacks` names the missing rights without which
    deletions are not visible. While it is not empty, all managed objects are read by
    objectGUID once a day, last at `asked`.
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

    `fully_read_types` are the types whose objects were all read. `has_all_members`: the
    groups that were read have no other members than the import named.
    `has_scope_members`: the import sent all members of the scope's groups.
    `inquire_about` says which objects to read by objectGUID although the import did not
    name them; `managed` includes `unknown`.
    """

    watermark: Watermark
    fully_read_types: tuple[ObjectType, ...] = ()
    is_initial: bool = False
    has_all_members: bool = True
    has_scope_members: bool = False
    inquire_about: Literal["nobody", "unknown", "managed"] = "nobody"


class Cycle(Value, frozen=True):
    """One run of a job.

    `error` is a sentence that says why it failed. `unreachable`: an agent, the bus or
    the target did not answer.
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


class LoggedMembers(Value, frozen=True):
    """How many members were added and removed, and the objectGUIDs of the first."""

    added: int
    removed: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class LogEntry(Value, frozen=True):
    """One action on one object; an entry never changes.

    `changes` hold the values before and after each change, by path. A fixed mark
    replaces sensitive values, resource ids replace references. A failed action has the
    changes that were tried.
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
    """Which log entries to return; None does not restrict them.

    `object` is an objectGUID, or the name that an object was logged under. `since` is
    inclusive, `until` is exclusive.
    """

    job: str | None = None
    object: str | None = None
    action: LogAction | None = None
    status: LogStatus | None = None
    cycle: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AttributeCount(Value, frozen=True):
    """How many existing resources get a value of an attribute, or lose it."""

    type: ObjectType
    attribute: str
    set: int = 0
    cleared: int = 0


class ReasonCount(Value, frozen=True):
    reason: str
    count: int


class LeaverCount(Value, frozen=True):
    """How many objects lose access for a reason, by `disable` or `delete`."""

    type: ObjectType
    action: str
    reason: str
    count: int


class Sample(Value, frozen=True):
    """The name of one object that an action affects, and why."""

    action: str
    name: str
    reason: str


class Breakdown(Value, frozen=True):
    """The effects of a plan by attribute, by reason, and some by name.

    `leavers` lose access because they are out of scope or gone. Effects that a guard
    would stage are counted too: somebody has to decide about them. `samples` is empty
    unless the caller asks for names.
    """

    attributes: tuple[AttributeCount, ...] = ()
    groups_emptied: int = 0
    leavers: tuple[LeaverCount, ...] = ()
    escrow_reasons: tuple[ReasonCount, ...] = ()
    samples: tuple[Sample, ...] = ()
