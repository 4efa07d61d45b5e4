"""The SCIM client's rules that need no server."""

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
def test_an_equality_is_written_as_the_rfc_says(path, value, text):
    assert equality_filter(path, value) == text


def test_an_external_id_has_its_case_and_a_name_has_none():
    resource = {"externalId": "Ab", "userName": "Straße"}
    assert has_value(resource, "externalId", "Ab")
    assert not has_value(resource, "externalId", "ab")
    assert has_value(resource, "userName", "STRASSE")
    assert not has_value(resource, "title", "")


async def _read(pages, *, size=3):
    """Return the ids that are read from pages, and where each reading began."""
    asked = []

    async def fetch(start):
        asked.append(start)
        return pages(start)

    found = [each["id"] async for each in read_all_resources(fetch, "T", size=size)]
    return found, asked


async def test_a_list_without_a_total_is_read_until_an_empty_page():
    every = [{"id": str(each)} for each in range(8)]
    found, asked = await _read(lambda at: {"Resources": every[at - 1 : at + 2]})
    assert found == [each["id"] for each in every]
    assert asked == [1, 4, 7, 9]


async def test_a_service_without_totals_and_pages_says_everything_at_once():
    every = [{"id": str(each)} for each in range(8)]
    found, asked = await _read(lambda _: {"Resources": every})
    assert (found, asked) == ([each["id"] for each in every], [1, 9])


async def test_full_pages_that_never_advance_are_no_whole_list():
    page = {"Resources": [{"id": str(each)} for each in range(3)]}
    with pytest.raises(Rejected, match="stopped after 3 of an unknown number"):
        await _read(lambda _: page)


async def test_what_moves_up_when_others_are_deleted_is_read():
    every = [{"id": str(each)} for each in range(9)]

    def page(at):
        answer = {"totalResults": len(every), "Resources": every[at - 1 : at + 2]}
        if at == 1:
            del every[:2]
        return answer

    found, asked = await _read(page)
    assert set(found) == {str(each) for each in range(9)}
    assert asked == [1, 4, 2, 5]


async def test_a_list_that_shrinks_for_ever_is_not_read_for_ever():
    left = iter(range(100_000, 0, -1))
    ids = iter(range(100_000))

    def page(_):
        resources = [{"id": str(next(ids))} for _ in range(3)]
        return {"totalResults": next(left), "Resources": resources}

    with pytest.raises(Rejected, match="shorter than before"):
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
async def test_what_is_no_list_is_an_error(document):
    with pytest.raises(Rejected, match="base URL of a SCIM"):
        await _read(lambda _: require_list(document, "T"))
