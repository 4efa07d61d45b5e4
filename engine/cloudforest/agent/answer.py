"""Cutting an answer into pages that the bus takes.

One answer: bind the question, read the directory, cut pages, close.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

import msgspec
import structlog

from cloudforest.agent import changes
from cloudforest.agent.question import Question, Rebound, bind
from cloudforest.agent.scope_groups import Forest, forest_of
from cloudforest.base.errors import CloudforestError, Refused
from cloudforest.model.messages import (
    Closing,
    Members,
    ObjectRecord,
    Page,
    Record,
    SyncRequest,
    Unknown,
    encode_page,
)
from cloudforest.model.ports.directory import Directory

_LARGEST = 10**9
"""A sequence or a total that no answer reaches, to measure the envelope with."""
_GUID_BYTES = len('"00000000-0000-0000-0000-000000000000",')
_log = structlog.get_logger()


def _size(value: Record | Closing) -> int:
    return len(msgspec.json.encode(value)) + 1


class Pages:
    """The pages of one answer, each at most `limit` bytes long when encoded.

    An object that does not fit into a page of its own is said to be Unknown, which
    proves nothing, so that whoever asked leaves it as it is; all others go on. A part
    of it would be worse: a value left out looks like a value cleared.
    """

    def __init__(self, agent: str, request: str, limit: int) -> None:
        self._agent = agent
        self._request = request
        self._room = limit - self._envelope()
        self._sequence = 0
        self._records: list[Record] = []
        self._used = 0

    def _envelope(self) -> int:
        empty = Page(agent=self._agent, request=self._request, sequence=_LARGEST)
        return len(encode_page(empty)) + len(str(_LARGEST))

    def add(self, record: Record) -> Iterator[Page]:
        """Take a record, and yield a page when it did not fit into the one begun."""
        for part in self._split(record):
            size = _size(part)
            if size > self._room and isinstance(part, ObjectRecord | Members):
                _log.warning("object too large for a page", object=part.id, bytes=size)
                part = self._too_large(part.id, size)  # noqa: PLW2901 - it stands for it
                size = _size(part)
            if self._records and self._used + size > self._room:
                yield self._page()
            self._records.append(part)
            self._used += size

    def _too_large(self, id_: str, size: int) -> Unknown:
        reason = (
            f"too-large: the object's attributes take {size} bytes, and a page of the "
            f"bus holds {self._room}."
        )
        return Unknown(id=id_, reason=reason)

    def _split(self, record: Record) -> Iterator[Record]:
        """Yield memberships in parts that fit; everything else is one part."""
        if not isinstance(record, Members) or _size(record) <= self._room:
            yield record
            return
        part = max(1, (self._room - _size(Members(id=record.id))) // _GUID_BYTES)
        for start in range(0, len(record.add), part):
            yield Members(id=record.id, add=record.add[start : start + part])
        for start in range(0, len(record.remove), part):
            yield Members(id=record.id, remove=record.remove[start : start + part])

    def close(self, closing: Closing) -> Iterator[Page]:
        """Yield what is left; the last page has the closing record."""
        if self._records and self._used + _size(closing) > self._room:
            yield self._page()
        yield self._page(closing)

    def _page(self, closing: Closing | None = None) -> Page:
        page = Page(
            agent=self._agent,
            request=self._request,
            sequence=self._sequence,
            records=tuple(self._records),
            closing=closing,
        )
        self._sequence += 1
        self._records, self._used = [], 0
        return page


def _records(question: Question) -> AsyncIterator[Record | Closing]:
    match question.request.kind:
        case "import":
            return changes.import_records(question)
        case "read":
            return changes.read_records(question)


class Answer:
    """The Answerer of one agent, for the domains that it reads.

    An error of the directory is not raised: the closing record names it, after what had
    been read before, and says that the answer is not complete.
    """

    def __init__(
        self, agent: str, directories: Mapping[str, Directory], *, page_bytes: int
    ) -> None:
        self._agent = agent
        self._directories = directories
        self._page_bytes = page_bytes

    async def __call__(self, request: SyncRequest) -> AsyncIterator[Page]:
        pages = Pages(self._agent, request.id, self._page_bytes)
        closing = Closing(complete=False)
        try:
            question = await bind(request, self._forest(request.domain))
            async for said in _records(question):
                if isinstance(said, Closing):
                    await question.require_unmoved()
                    closing = said
                    continue
                for page in pages.add(said):
                    yield page
        except CloudforestError as error:
            final = isinstance(error, Rebound)
            closing = Closing(complete=False, error=str(error), final=final)
        for page in pages.close(closing):
            yield page

    def _forest(self, domain: str) -> Forest:
        forest = forest_of(domain, self._directories)
        if forest.home not in forest.directories:
            raise Refused(
                f"The agent {self._agent} does not read {domain}. Assign the domain to "
                "it, or ask another agent."
            )
        return forest
