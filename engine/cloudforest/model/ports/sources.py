"""Inquiries: the objects to be asked by objectGUID before anything else is decided.

Imports: generations, pages with their cursors, watermarks.

Source rows: the objects of a job as last imported.

Which of the jobs of a target holds an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.cycles import ImportEnd, Watermark
from cloudforest.model.jobs import KeyName
from cloudforest.model.messages import Record
from cloudforest.model.source import Presence, SourceObject


class Inquiries(Protocol):
    async def add_inquiries(self, job: KeyName, ids: Sequence[str]) -> None: ...

    async def list_inquiries(self, job: KeyName, limit: int) -> list[str]:
        """Return those that are open, in order of id."""
        ...

    async def find_hidden_attributes(
        self, job: KeyName, ids: Sequence[str]
    ) -> frozenset[str]:
        """Return the attributes that one of these showed, and that may be hidden now.

        Names are in lower case. What they were is kept until they are proved empty.
        """
        ...

    async def save_answers(
        self, job: KeyName, generation: int, records: Sequence[Record]
    ) -> None:
        """Store what a `read` answered; the inquiries stay until it has ended."""
        ...

    async def close_inquiries(
        self,
        job: KeyName,
        generation: int,
        ids: Sequence[str],
        *,
        complete: bool,
        proven_clear: Sequence[str] = (),
    ) -> None:
        """Close the inquiries about these objects.

        It stays open of whom another attribute is doubted than those that the answer
        was to prove empty (`proved`).

        A row in scope that no answer of this generation named is now unknown. If the
        answer was `complete`, a group that it named has no older members.
        """
        ...


class Imports(Protocol):
    async def load_watermark(self, job: KeyName) -> Watermark | None: ...

    async def begin_import(self, job: KeyName, cycle: str) -> int:
        """Return the generation under which this import's rows are stored."""
        ...

    async def save_page(
        self,
        job: KeyName,
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
        self, job: KeyName, target: str, generation: int, end: ImportEnd
    ) -> None:
        """Store the watermark, and who is to be asked by objectGUID.

        A whole import forgets the rows of other types: they are no longer managed. To
        be asked are held rows of the types of which everything was read, and which it
        did not name; who entered the scope's groups or left them; those of `end.again`.
        """
        ...

    async def forget_unlinked(self, job: KeyName, target: str) -> None:
        """Drop the rows that are out or gone, and that no link keeps."""
        ...


class Sources(Protocol):
    async def list_source_objects(
        self,
        job: KeyName,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceObject]:
        """Return rows in order of id, those after `after`.

        They are in scope; or, while they are linked, unknown, out of scope or gone.
        Those that are settled under the digest `settled` are left out.
        """
        ...

    async def load_source_object(self, job: KeyName, id: str) -> SourceObject | None:  # noqa: A002
        """Return the row, whatever its state."""
        ...

    async def find_known_objects(
        self, job: KeyName, target: str, ids: Sequence[str]
    ) -> frozenset[str]:
        """Return those of the objects that are in scope of the job or linked."""
        ...

    async def list_unknown_objects(
        self, job: KeyName, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        """Return how many objects are unknown, and the first of them.

        Those count who show less than before, and nothing proves what they lack.
        """
        ...


class Presences(Protocol):
    async def load_presences(
        self, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        """Return what the jobs say of the objects that they have rows of.

        Who is in scope of one of them is `in`, whatever the others say; then `unknown`,
        `out` and `gone`.
        """
        ...
