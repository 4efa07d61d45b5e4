"""Filters and pages of SCIM lists, without a server."""

from __future__ import annotations

import pytest

from cloudforest.adapters.target.lists import (
    equality_filter,
    has_value,
    read_all_resources,
    require_list,
)
from cloudforest.base.errors import Rejected


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("userName", "zoe", 'userName eq "zoe"'),
        ("userName", 'a"b\\c', 'userName eq "a\\"b\\\\c"'),
        ("displayName", "Zoë", 'displayName eq "Zoë"'),
        (
            'emails[type eq "work"].value',
            "a@b",
            'emails[type eq "work" and value eq "a@b"]',
        ),
    ],
)
def test_equality_filter_follows_the_rfc(path, value, text):
    assert equality_filter(path, value) == text


def test_external_id_is_case_sensitive_and_user_name_is_not():
    resource = {"externalId": "Ab", "userName": "Straße"}
    assert has_value(resource, "externalId", "Ab")
    assert not has_value(resource, "externalId", "ab")
    assert has_value(resource, "userName", "STRASSE")
    assert not has_value(resource, "title", "")


async def _read(pages, *, size=3):
    """Return the ids read from pages, and the start index of each page."""
    starts = []

    async def fetch(start):
        starts.append(start)
        return pages(start)

    ids = [each["id"] async for each in read_all_resources(fetch, "T", size=size)]
    return ids, starts


async def test_list_without_total_is_read_until_an_empty_page():
    every = [{"id": str(each)} for each in range(8)]
    ids, starts = await _read(lambda at: {"Resources": every[at - 1 : at + 2]})
    assert ids == [each["id"] for each in every]
    assert starts == [1, 4, 7, 9]


async def test_list_without_total_and_pages_is_read_at_once():
    every = [{"id": str(each)} for each in range(8)]
    ids, starts = await _read(lambda _: {"Resources": every})
    assert (ids, starts) == ([each["id"] for each in every], [1, 9])


async def test_full_pages_that_never_advance_are_rejected():
    page = {"Resources": [{"id": str(each)} for each in range(3)]}
    with pytest.raises(Rejected, match="stopped after 3 of an unknown number"):
        await _read(lambda _: page)


async def test_resources_that_move_up_after_deletions_are_read():
    every = [{"id": str(each)} for each in range(9)]

    def page(at):
        answer = {"totalResults": len(every), "Resources": every[at - 1 : at + 2]}
        if at == 1:
            del every[:2]
        return answer

    ids, starts = await _read(page)
    assert set(ids) == {str(each) for each in range(9)}
    assert starts == [1, 4, 2, 5]


async def test_list_that_keeps_shrinking_is_rejected():
    left = iter(range(100_000, 0, -1))
    ids = iter(range(100_000))

    def page(_):
        resources = [{"id": str(next(ids))} for _ in range(3)]
        return {"totalResults": next(left), "Resources": resources}

    with pytest.raises(Rejected, match="shrinks from page to page"):
        await _read(page)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"schemas": ["x"]},
        {"totalResults": 1, "Resources": {"id": "1"}},
        {"totalResults": 1, "Resources": ["1"]},
        {"totalResults": 1, "Resources": [{"id": ""}]},
    ],
)
async def test_answer_that_is_not_a_list_is_rejected(document):
    with pytest.raises(Rejected, match="base URL of a SCIM"):
        await _read(lambda _: require_list(document, "T"))
