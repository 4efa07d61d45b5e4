"""Lists from services that keep to the rules and others: pages, and filters."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from cloudforest.base.errors import Rejected
from cloudforest.program.resource import extract

CASE_EXACT = frozenset({"externalId", "id"})
"""Compared exactly (RFC 7643, 3.1); the other strings that we match by are not."""
_CHOSEN = re.compile(r"(.+)\[(.+)\]\.([^.\[\]]+)")

Fetch = Callable[[int], Awaitable[dict[str, Any]]]
"""Read the ListResponse that begins at this index, which counts from 1."""
Resource = dict[str, Any]


def equality(path: str, value: str) -> str:
    """Write `path eq "value"`; strings are JSON strings (RFC 7644, 3.4.2.2).

    A path that chooses one of several values has the comparison inside its brackets.
    """
    literal = json.dumps(value, ensure_ascii=False)
    chosen = _CHOSEN.fullmatch(path)
    if chosen is None:
        return f"{path} eq {literal}"
    attribute, choice, sub = chosen.groups()
    return f"{attribute}[{choice} and {sub} eq {literal}]"


def has_value(resource: Mapping[str, Any], path: str, value: str) -> bool:
    """Servers were seen that ignore a filter and answer with everything."""
    found = extract(resource, (path,)).get(path)
    if not isinstance(found, str):
        return False
    if path in CASE_EXACT:
        return found == value
    return found.casefold() == value.casefold()


def _resources(page: dict[str, Any], place: str) -> list[Resource]:
    found = page.get("Resources") or []
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("id"), str) for each in found
    ):
        raise Rejected(
            f"{place} answered a list with something that has no id; check that it is"
            " a SCIM 2.0 service."
        )
    return found


def _total(page: dict[str, Any], count: int) -> int:
    found = page.get("totalResults")
    return found if isinstance(found, int) else count


async def every_resource(fetch: Fetch, place: str) -> AsyncIterator[Resource]:
    """Yield all resources of a list, one page in memory at a time.

    Pages may be shorter than asked for. Raises Rejected where a service would keep us
    for ever, or stop before the end: a list that is not whole looks like absence.
    """
    start, before = 1, frozenset[str]()
    while True:
        page = await fetch(start)
        found = _resources(page, place)
        total = _total(page, start - 1 + len(found))
        new = [each for each in found if each["id"] not in before]
        if not new:
            if start > total:
                return
            raise Rejected(
                f"{place} stopped after {start - 1} of {total} resources: its pages do"
                " not advance with startIndex."
            )
        for each in new:
            yield each
        before = frozenset(each["id"] for each in found)
        start += len(found)
        if start > total:
            return
