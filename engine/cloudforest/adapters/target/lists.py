"""Lists from services that keep to the rules and others: pages, and filters."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudforest.adapters.target.answers import not_scim
from cloudforest.base.errors import Rejected
from cloudforest.model.source import MatchValue
from cloudforest.program.mapping.desired import comparable
from cloudforest.program.scim.resource import extract

_CHOSEN = re.compile(r"(.+)\[(.+)\]\.([^.\[\]]+)")

Fetch = Callable[[int], Awaitable["Resource"]]
"""Read the ListResponse that begins at this index, which counts from 1."""
Resource = dict[str, Any]
MOST_RETURNS = 100
"""How often a list may turn out shorter than it was while it is read."""


def equality(path: str, value: MatchValue) -> str:
    """Write `path eq "value"`; values are written as in JSON (RFC 7644, 3.4.2.2).

    A path that chooses one of several values has the comparison inside its brackets.
    """
    literal = json.dumps(value, ensure_ascii=False)
    chosen = _CHOSEN.fullmatch(path)
    if chosen is None:
        return f"{path} eq {literal}"
    attribute, choice, sub = chosen.groups()
    return f"{attribute}[{choice} and {sub} eq {literal}]"


def is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def has_value(resource: Mapping[str, Any], path: str, value: MatchValue) -> bool:
    """Servers were seen that ignore a filter and answer with everything."""
    found = extract(resource, (path,)).get(path)
    if not isinstance(found, MatchValue):
        return False
    return comparable(path, found) == comparable(path, value)


def as_list(document: Resource, place: str) -> Resource:
    """Return the document if it is a ListResponse, or near enough to one."""
    listed = document.get("Resources", [])
    if "totalResults" not in document and "Resources" not in document:
        raise not_scim(place, "something that is not a list where one was asked for")
    if listed is not None and not isinstance(listed, list):
        raise not_scim(place, "a list whose Resources are none")
    return document


def _resources(page: Resource, place: str) -> list[Resource]:
    found: list[Any] = page.get("Resources") or []
    if not all(isinstance(each, dict) and is_id(each.get("id")) for each in found):
        raise not_scim(place, "a list with something that has no id")
    return found


def _total(page: Resource) -> int | None:
    found = page.get("totalResults")
    return found if isinstance(found, int) else None


@dataclass
class _Reading:
    """How far a list has been read; `last` are the ids of its latest page."""

    place: str
    size: int
    start: int = 1
    total: int | None = None
    last: frozenset[str] = frozenset()
    returns: int = 0

    def shrank(self, total: int | None) -> bool:
        """Return whether to read again what may have moved to before this page.

        What follows a resource that is deleted moves up by one place.
        """
        gone = (self.total or 0) - (total or 0)
        self.total = total
        if total is None or gone <= 0 or self.start == 1:
            return False
        self.returns += 1
        if self.returns > MOST_RETURNS:
            raise Rejected(
                f"{self.place} says at each page of a list that it is shorter than"
                " before; try again when less is deleted there."
            )
        self.start = max(1, self.start - gone)
        self.last = frozenset()
        return True

    def take(self, found: list[Resource]) -> list[Resource]:
        """Return what of a page is new, and go on behind it."""
        new = [each for each in found if each["id"] not in self.last]
        if not new and self._owes(found):
            total = "an unknown number" if self.total is None else self.total
            raise Rejected(
                f"{self.place} stopped after {self.start - 1} of {total} resources: its"
                " pages do not advance with startIndex."
            )
        self.last = frozenset(each["id"] for each in found)
        self.start += len(found)
        return new

    def _owes(self, found: list[Resource]) -> bool:
        if self.total is None:
            # The same page again is all there is, unless it is a full one.
            return len(found) == self.size
        return self.start <= self.total

    def at_end(self, new: list[Resource]) -> bool:
        return not new if self.total is None else self.start > self.total


async def every_resource(
    fetch: Fetch, place: str, *, size: int
) -> AsyncIterator[Resource]:
    """Yield all resources of a list, one page of about `size` in memory at a time.

    Pages may be shorter than asked for, and a list without a total ends with an empty
    one. A resource may come twice if others are deleted meanwhile. Raises Rejected
    where a service would keep us for ever, or stop before the end: a list that is not
    whole looks like absence.
    """
    reading = _Reading(place, size)
    while True:
        page = await fetch(reading.start)
        if reading.shrank(_total(page)):
            continue
        new = reading.take(_resources(page, place))
        for each in new:
            yield each
        if reading.at_end(new):
            return
