"""Notices: mail to operators about jobs and agents, and what was already sent.

Notices never name people.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, Protocol

from cloudforest.base.values import Value

NoticeKind = Literal["guard", "quarantine", "agent-inactive", "certificate"]


class Occurrence(Value, frozen=True):
    """A condition that operators are notified of once, as long as it lasts.

    `name` is that of the job or agent. `detail` distinguishes conditions that one of
    them can have at the same time: the guard, or when the certificate ends.
    """

    kind: NoticeKind
    name: str
    detail: str = ""


class Fact(Value, frozen=True):
    name: str
    value: str


class Step(Value, frozen=True):
    """A command to run in the tree's folder, and its purpose."""

    command: str
    purpose: str


class Notice(Value, frozen=True):
    """One mail. `headline` has no full stop; `explanation` is in full sentences."""

    tenant: str
    time: datetime
    headline: str
    explanation: str
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]


class Mailer(Protocol):
    async def send(self, notice: Notice, recipients: Sequence[str]) -> tuple[str, ...]:
        """Send a notice; return the recipients that the mail server refused.

        Raises Rejected if the server refused all recipients, and Unavailable,
        CredentialRejected or Misconfigured if it would refuse every other notice too.
        """


class NoticeStore(Protocol):
    async def list_notified(self) -> frozenset[Occurrence]:
        """Return the lasting occurrences that operators were notified of."""

    async def mark_notified(
        self, occurrences: Collection[Occurrence], now: datetime
    ) -> None: ...

    async def clear_notified(self, occurrences: Collection[Occurrence]) -> None: ...
