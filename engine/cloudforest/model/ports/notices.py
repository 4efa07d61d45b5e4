"""What operators are told by mail: names of jobs and agents, never of people.

Mail to operators, and what they were told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, Protocol

from cloudforest.base.values import Value

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


class Mailer(Protocol):
    async def send(self, notice: Notice, recipients: Sequence[str]) -> tuple[str, ...]:
        """Hand a notice to the mail server; return the recipients that it refused.

        Raises Rejected if it took it for nobody; Unavailable, CredentialRejected or
        Misconfigured if it would take no other notice either.
        """
        ...


class NoticeStore(Protocol):
    async def list_notified(self) -> frozenset[Occurrence]:
        """Return what holds and was told."""
        ...

    async def mark_notified(
        self, occurrences: Collection[Occurrence], now: datetime
    ) -> None: ...

    async def clear_notified(self, occurrences: Collection[Occurrence]) -> None: ...
