"""Imports: generations, pages with their cursors, watermarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.messages import Record
from cloudforest.model.provisioning import Watermark


class Imports(Protocol):
    async def watermark(self, job: str) -> Watermark | None: ...

    async def begin_import(self, job: str, cycle: str) -> int:
        """Return the generation under which this import's rows are stored."""
        ...

    async def save_page(
        self,
        job: str,
        generation: int,
        records: Sequence[Record],
        cursor: Watermark | None,
    ) -> None:
        """Store a page's rows and memberships and, if any, its durable cursor."""
        ...

    async def finish_import(
        self, job: str, generation: int, watermark: Watermark, *, full: bool
    ) -> None:
        """Store the watermark.

        After a full read a group has no older members, and an object that it did not
        name counts only while it is linked.
        """
        ...
