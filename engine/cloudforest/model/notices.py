"""What operators are told by mail: names of jobs and agents, never of people."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from cloudforest.model.value import Value

NoticeKind = Literal["guard", "quarantine", "agent-inactive", "certificate"]


class Occurrence(Value, frozen=True):
    """What is told once, for as long as it holds.

    `name` is the job's or the agent's; `detail` tells apart what can hold of one of
    them at the same time: the guard, or when the certificate ends.
    """

    kind: NoticeKind
    name: str
    detail: str = ""


class Fact(Value, frozen=True):
    name: str
    value: str


class Step(Value, frozen=True):
    """A command as it is typed in the tree's folder, and what it is for."""

    command: str
    purpose: str


class Notice(Value, frozen=True):
    """One mail. `headline` has no full stop; `explanation` is whole sentences."""

    tenant: str
    time: datetime
    headline: str
    explanation: str
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]
