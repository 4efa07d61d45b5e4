"""Imports: generations, pages with their cursors, watermarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.messages import Record
from cloudforest.model.provisioning import ImportEnd, Watermark


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
        """Store a page's rows and memberships and, if any, its durable cursor.

        The same transaction stores what is to be asked by objectGUID: who could not be
        read, groups that entered the scope, and rows that lie in containers that were
        moved; each only until the import names it.
        """
        ...

    async def finish_import(
        self, job: str, target: str, generation: int, end: ImportEnd
    ) -> None:
        """Store the watermark, and who is to be asked by objectGUID.

        A whole import forgets the rows of other types: they are no longer managed. To
        be asked are held rows of the types of which everything was read, and which it
        did not name; who entered the scope's groups or left them; those of `end.again`.
        """
        ...

    async def forget_unlinked(self, job: str, target: str) -> None:
        """Drop the rows that are out or gone, and that no link keeps."""
        ...
