"""The store's source objects: imports, watermarks, inquiries and presence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.cycles import ImportEnd, Watermark
from cloudforest.model.jobs import ReadKey, WriteKey
from cloudforest.model.messages import Record
from cloudforest.model.source import Presence, SourceObject


class Sources(Protocol):
    """The objects of each job as last imported, and what must be asked about them.

    An inquiry is an object that must be read by objectGUID before anything else is
    decided about it.
    """

    async def load_watermark(self, job: ReadKey) -> Watermark | None: ...

    async def begin_import(self, job: WriteKey) -> int:
        """Return the generation under which the rows of this import are stored."""

    async def save_page(
        self,
        job: WriteKey,
        generation: int,
        records: Sequence[Record],
        cursor: Watermark | None,
    ) -> None:
        """Store a page's rows and memberships and, if given, its durable cursor.

        The same transaction adds inquiries for objects that could not be read, for
        groups that entered the scope, and for rows that lie in moved containers. An
        inquiry ends as soon as the import names the object.
        """

    async def finish_import(
        self, job: WriteKey, target: str, generation: int, end: ImportEnd
    ) -> None:
        """Store the watermark, and add the inquiries that the import leaves open.

        An initial import forgets the rows of types that it did not read: they are no
        longer managed. Inquiries are added for rows that are in or unknown and that a
        full read of their type did not name, for objects that entered or left the
        scope's groups, and for those of `end.inquire_about`.
        """

    async def forget_unlinked(self, job: WriteKey, target: str) -> None:
        """Delete the rows that are out or gone and have no link."""

    async def add_inquiries(self, job: WriteKey, ids: Sequence[str]) -> None: ...

    async def list_inquiries(self, job: ReadKey, limit: int) -> list[str]:
        """Return the first open inquiries, ordered by objectGUID."""

    async def find_hidden_attributes(
        self, job: ReadKey, ids: Sequence[str]
    ) -> frozenset[str]:
        """Return the attributes that any of these objects showed and may now hide.

        Names are in lower case. Their values are kept until they are proved empty.
        """

    async def save_answers(
        self, job: WriteKey, generation: int, records: Sequence[Record]
    ) -> None:
        """Store the answer to a `read`; its inquiries stay open until it has ended."""

    async def close_inquiries(
        self,
        job: WriteKey,
        generation: int,
        ids: Sequence[str],
        *,
        complete: bool,
        proven_clear: Sequence[str] = (),
    ) -> None:
        """Close the inquiries about these objects.

        An inquiry stays open while the object hides an attribute that is not among
        `proven_clear`, the attributes that the answer had to prove empty.

        A row in scope that no answer of this generation named becomes unknown. If the
        answer was `complete`, the groups that it named lose their older members.
        """

    async def list_source_objects(
        self,
        job: ReadKey,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceObject]:
        """Return the objects to evaluate whose objectGUID follows `after`, in order.

        These are the objects in scope, and linked ones that are unknown, out or gone.
        Objects that are settled under the digest `settled` are left out.
        """

    async def load_source_object(
        self, job: ReadKey, object_guid: str
    ) -> SourceObject | None:
        """Return the object, whatever its presence."""

    async def find_known_objects(
        self, job: ReadKey, target: str, ids: Sequence[str]
    ) -> frozenset[str]:
        """Return which of the objects are in scope of the job or linked."""

    async def list_unknown_objects(
        self, job: ReadKey, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        """Return how many objects are unknown, and the first of them.

        Objects that may hide an attribute count as unknown.
        """

    async def load_presences(
        self, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        """Return the presence of the objects that the jobs have rows of.

        If the jobs differ, the first of `in`, `unknown`, `out` and `gone` counts.
        """
