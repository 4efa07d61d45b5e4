"""Inquiries: the objects to be asked by objectGUID before anything else is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.messages import Record


class Inquiries(Protocol):
    async def add_inquiries(self, job: str, ids: Sequence[str]) -> None: ...

    async def inquiries(self, job: str, limit: int) -> list[str]:
        """Return those that are open, in order of id."""
        ...

    async def doubted(self, job: str, ids: Sequence[str]) -> frozenset[str]:
        """Return the attributes that one of these showed, and that may be hidden now.

        Names are in lower case. What they were is kept until they are proved empty.
        """
        ...

    async def save_answers(
        self, job: str, generation: int, records: Sequence[Record]
    ) -> None:
        """Store what a `read` answered; the inquiries stay until it has ended."""
        ...

    async def finish_asking(
        self,
        job: str,
        generation: int,
        ids: Sequence[str],
        *,
        complete: bool,
        proved: Sequence[str] = (),
    ) -> None:
        """Close the inquiries about these objects.

        It stays open of whom another attribute is doubted than those that the answer
        was to prove empty (`proved`).

        A row in scope that no answer of this generation named is now unknown. If the
        answer was `complete`, a group that it named has no older members.
        """
        ...
