"""Mail to operators, and what they were told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from cloudforest.model.notices import Notice, Occurrence


class Mailer(Protocol):
    async def send(self, notice: Notice, recipients: Sequence[str]) -> tuple[str, ...]:
        """Hand a notice to the mail server; return the recipients that it refused.

        Raises Rejected if it took it for nobody; Unavailable, CredentialRejected or
        Misconfigured if it would take no other notice either.
        """
        ...


class NoticeStore(Protocol):
    async def told(self) -> frozenset[Occurrence]:
        """Return what holds and was told."""
        ...

    async def remember(
        self, occurrences: Collection[Occurrence], now: datetime
    ) -> None: ...

    async def forget(self, occurrences: Collection[Occurrence]) -> None: ...
