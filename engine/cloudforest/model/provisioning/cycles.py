"""Cycles of a job: what they counted, what they started from, what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from cloudforest.model.program import ObjectType
from cloudforest.model.value import Value

CycleKind = Literal["initial", "incremental"]
CycleState = Literal["running", "succeeded", "partial", "blocked", "failed"]
Fault = Literal["unreachable", "target", "credential", "configuration"]
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


class Attempts(msgspec.Struct, kw_only=True, rename="camel"):
    """Objects that a cycle tried to write, references and members aside.

    `first`: for the first time, as far as their escrow knows; `again`: out of escrow.
    """

    first: int = 0
    first_failed: int = 0
    again: int = 0
    again_failed: int = 0

    @property
    def all(self) -> int:
        return self.first + self.again

    @property
    def all_failed(self) -> int:
        return self.first_failed + self.again_failed

    def add(self, *, attempts: int, failed: bool) -> None:
        """Count an object that had failed so many times before."""
        if attempts:
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
    full: tuple[ObjectType, ...] = ()
    whole: bool = False
    complete: bool = True
    members: bool = False
    again: Literal["nobody", "unknown", "managed"] = "nobody"


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
    fault: Fault | None = None
    attempts: Attempts = msgspec.field(default_factory=Attempts)
