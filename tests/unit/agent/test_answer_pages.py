from __future__ import annotations

import uuid

from cloudforest.agent.answer import PageBuilder
from cloudforest.model.messages import (
    Closing,
    InScope,
    Members,
    OutOfScope,
    Page,
    Record,
    Unknown,
    decode_page,
    encode_page,
)

LIMIT = 4_000


def cut(records: list[Record], closing: Closing | None = None) -> list[Page]:
    pages = PageBuilder("agent", "request", LIMIT)
    cut = [page for record in records for page in pages.add(record)]
    return [*cut, *pages.close(closing or Closing(complete=True))]


def person(size: int) -> InScope:
    guid = str(uuid.uuid4())
    return InScope(
        id=guid,
        type="user",
        dn=f"CN={guid}",
        parent=None,
        anchor=guid,
        attributes={"description": ("é" * size,)},
    )


def test_pages_fit_the_bus_and_lose_no_record():
    records: list[Record] = [person(size % 700) for size in range(0, 9_000, 31)]

    pages = cut(records)

    assert [record for page in pages for record in page.records] == records
    assert max(len(encode_page(page)) for page in pages) <= LIMIT
    assert len(pages) < len(records)


def test_pages_are_numbered_and_only_the_last_has_the_closing_record():
    pages = cut([OutOfScope(id=str(number)) for number in range(500)])

    assert [page.sequence for page in pages] == list(range(len(pages)))
    assert [page.closing is not None for page in pages] == [False] * (
        len(pages) - 1
    ) + [True]


def test_page_is_unchanged_after_encoding_and_decoding():
    pages = cut([person(3), Members(id="g", add=("a", "b")), OutOfScope(id="x")])

    assert [decode_page(encode_page(page)) for page in pages] == pages


def test_object_too_large_for_a_page_is_unknown_and_others_are_sent():
    before, giant, after = person(5), person(LIMIT), person(5)

    pages = cut([before, giant, after])

    records = [record for page in pages for record in page.records]
    assert [each.id for each in records] == [before.id, giant.id, after.id]
    assert isinstance(records[1], Unknown)
    assert (records[1].reason or "").startswith("too-large: ")


def test_memberships_too_large_for_a_page_are_split():
    guids = tuple(str(uuid.uuid4()) for _ in range(450))

    pages = cut([Members(id="g", add=guids, remove=guids[:200])])

    records = [record for page in pages for record in page.records]
    assert all(isinstance(record, Members) for record in records)
    assert tuple(each for record in records for each in record.add) == guids
    assert tuple(each for record in records for each in record.remove) == guids[:200]
    assert max(len(encode_page(page)) for page in pages) <= LIMIT


def test_closing_record_that_does_not_fit_gets_its_own_page():
    bindings = {f"OU={number},DC=contoso,DC=com": "g" * 36 for number in range(40)}
    closing = Closing(complete=True, bindings=bindings)

    pages = cut([person(700)], closing)

    assert [len(page.records) for page in pages] == [1, 0]
    assert max(len(encode_page(page)) for page in pages) <= LIMIT
