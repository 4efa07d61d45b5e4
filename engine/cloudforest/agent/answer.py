"""One answer: bind the request, read the directory, and send records in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import structlog

from cloudforest.agent import changes
from cloudforest.agent.bound_request import (
    ScopeBindingChanged,
    bind_request,
    require_unmoved,
)
from cloudforest.agent.scope_groups import build_forest
from cloudforest.base.errors import CloudforestError
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

_LARGEST_NUMBER = 10**9
"""A sequence number that no answer reaches, to measure the envelope with."""
_GUID_BYTES = len('"00000000-0000-0000-0000-000000000000",')
_log = structlog.get_logger()


def _encoded_size(value: Record | Closing) -> int:
    return len(msgspec.json.encode(value)) + 1


class PageBuilder:
    """Builds the pages of one answer, each at most `limit` bytes long when encoded.

    An object too large for a page becomes Unknown, which proves nothing, so that the
    service leaves it alone. Sending a part of it would be worse: a missing value looks
    like a cleared one.
    """

    def __init__(self, agent: str, request: str, limit: int) -> None:
        self._agent = agent
        self._request = request
        empty = Page(agent=agent, request=request, sequence=_LARGEST_NUMBER)
        envelope = len(encode_page(empty)) + len(str(_LARGEST_NUMBER))
        self._capacity = limit - envelope
        self._sequence = 0
        self._records: list[Record] = []
        self._used_bytes = 0

    def add(self, record: Record) -> Iterator[Page]:
        """Add a record; yield the current page first if the record does not fit."""
        for part in self._split(record):
            size = _encoded_size(part)
            if size > self._capacity and isinstance(part, ObjectRecord | Members):
                _log.warning("object too large for a page", object=part.id, bytes=size)
                reason = (
                    f"too-large: the object takes {size} bytes, more than the "
                    f"{self._capacity} of a page on the bus."
                )
                part = Unknown(id=part.id, reason=reason)  # noqa: PLW2901 - replaces it
                size = _encoded_size(part)
            if self._records and self._used_bytes + size > self._capacity:
                yield self._cut_page()
            self._records.append(part)
            self._used_bytes += size

    def _split(self, record: Record) -> Iterator[Record]:
        """Yield memberships in parts that fit, and every other record whole."""
        if not isinstance(record, Members) or _encoded_size(record) <= self._capacity:
            yield record
            return
        free = self._capacity - _encoded_size(Members(id=record.id))
        size = max(1, free // _GUID_BYTES)
        for start in range(0, len(record.add), size):
            yield Members(id=record.id, add=record.add[start : start + size])
        for start in range(0, len(record.remove), size):
            yield Members(id=record.id, remove=record.remove[start : start + size])

    def close(self, closing: Closing) -> Iterator[Page]:
        """Yield the remaining pages; the last one has the closing record."""
        if self._records and self._used_bytes + _encoded_size(closing) > self._capacity:
            yield self._cut_page()
        yield self._cut_page(closing)

    def _cut_page(self, closing: Closing | None = None) -> Page:
        page = Page(
            agent=self._agent,
            request=self._request,
            sequence=self._sequence,
            records=tuple(self._records),
            closing=closing,
        )
        self._sequence += 1
        self._records, self._used_bytes = [], 0
        return page


@dataclass(frozen=True)
class Responder:
    """Answers the requests for the domains that an agent reads.

    An error of the directory is not raised. It goes into the closing record, after the
    records read before, and marks the answer as incomplete.
    """

    agent: str
    directories: Mapping[str, Directory]
    page_bytes: int

    async def __call__(self, request: SyncRequest) -> AsyncIterator[Page]:
        pages = PageBuilder(self.agent, request.id, self.page_bytes)
        closing = Closing(complete=False)
        try:
            forest = build_forest(self.agent, request.domain, self.directories)
            bound = await bind_request(request, forest)
            is_import = request.kind == "import"
            answer = changes.answer_import if is_import else changes.answer_read
            async for record in answer(bound):
                if isinstance(record, Closing):
                    await require_unmoved(bound)
                    closing = record
                    continue
                for page in pages.add(record):
                    yield page
        except CloudforestError as error:
            final = isinstance(error, ScopeBindingChanged)
            closing = Closing(complete=False, error=str(error), final=final)
        for page in pages.close(closing):
            yield page
