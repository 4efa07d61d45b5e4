"""The provisioning log: what was done to whom, and how to ask for it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning.effects import Change
from cloudforest.model.value import Value

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
