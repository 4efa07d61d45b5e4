"""Lists from services that keep to the rules and others: pages, and filters."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudforest.adapters.target.answers import make_not_scim_error
from cloudforest.base.errors import Rejected
from cloudforest.model.source import MatchValue
from cloudforest.program.mapping.desired import make_match_key
from cloudforest.program.scim.resource import extract_values

_VALUE_FILTER_PATH = re.compile(r"(.+)\[(.+)\]\.([^.\[\]]+)")

FetchPage = Callable[[int], Awaitable["JsonObject"]]
"""Read the ListResponse that begins at this index, which counts from 1."""
JsonObject = dict[str, Any]
MAX_REREADS = 100
"""How often a list may turn out shorter than it was while it is read."""


def equality_filter(path: str, value: MatchValue) -> str:
    """Write `path eq "value"`; values are written as in JSON (RFC 7644, 3.4.2.2).

    A path that chooses one of several values has the comparison inside its brackets.
    """
    literal = json.dumps(value, ensure_ascii=False)
    chosen = _VALUE_FILTER_PATH.fullmatch(path)
    if chosen is None:
        return f"{path} eq {literal}"
    attribute, choice, sub = chosen.groups()
    return f"{attribute}[{choice} and {sub} eq {literal}]"


def is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def has_value(resource: Mapping[str, Any], path: str, value: MatchValue) -> bool:
    """Servers were seen that ignore a filter and answer with everything."""
    found = extract_values(resource, (path,)).get(path)
    if not isinstance(found, MatchValue):
        return False
    return make_match_key(path, found) == make_match_key(path, value)


def require_list(document: JsonObject, label: str) -> JsonObject:
    """Return the document if it is a ListResponse, or near enough to one."""
    listed = document.get("Resources", [])
    if "totalResults" not in document and "Resources" not in document:
        raise make_not_scim_error(
            label, "something that is not a list where one was asked for"
        )
    if listed is not None and not isinstance(listed, list):
        raise make_not_scim_error(label, "a list whose Resources are none")
    return document


def _page_resources(page: JsonObject, label: str) -> list[JsonObject]:
    found: list[Any] = page.get("Resources") or []
    if not all(isinstance(each, dict) and is_id(each.get("id")) for each in found):
        raise make_not_scim_error(label, "a list with something that has no id")
    return found


def _total_results(page: JsonObject) -> int | None:
    found = page.get("totalResults")
    return found if isinstance(found, int) else None


@dataclass
class _ListReader:
    """How far a list has been read; `last` are the ids of its latest page."""

    label: str
    size: int
    start: int = 1
    total: int | None = None
    last_ids: frozenset[str] = frozenset()
    rereads: int = 0

    def step_back_if_shrunk(self, total: int | None) -> bool:
        """Return whether to read again what may have moved to before this page.

        What follows a resource that is deleted moves up by one place.
        """
        gone = (self.total or 0) - (total or 0)
        self.total = total
        if total is None or gone <= 0 or self.start == 1:
            return False
        self.rereads += 1
        if self.rereads > MAX_REREADS:
            raise Rejected(
                f"{self.label} says at each page of a list that it is shorter than"
                " before; try again when less is deleted there."
            )
        self.start = max(1, self.start - gone)
        self.last_ids = frozenset()
        return True

    def take_new(self, found: list[JsonObject]) -> list[JsonObject]:
        """Return what of a page is new, and go on behind it."""
        new = [each for each in found if each["id"] not in self.last_ids]
        if not new and self._is_incomplete(found):
            total = "an unknown number" if self.total is None else self.total
            raise Rejected(
                f"{self.label} stopped after {self.start - 1} of {total} resources: its"
                " pages do not advance with startIndex."
            )
        self.last_ids = frozenset(each["id"] for each in found)
        self.start += len(found)
        return new

    def _is_incomplete(self, found: list[JsonObject]) -> bool:
        if self.total is None:
            # The same page again is all there is, unless it is a full one.
            return len(found) == self.size
        return self.start <= self.total

    def is_at_end(self, new: list[JsonObject]) -> bool:
        return not new if self.total is None else self.start > self.total


async def read_all_resources(
    fetch: FetchPage, label: str, *, size: int
) -> AsyncIterator[JsonObject]:
    """Yield all resources of a list, one page of about `size` in memory at a time.

    Pages may be shorter than asked for, and a list without a total ends with an empty
    one. A resource may come twice if others are deleted meanwhile. Raises Rejected
    where a service would keep us for ever, or stop before the end: a list that is not
    whole looks like absence.
    """
    reading = _ListReader(label, size)
    while True:
        page = await fetch(reading.start)
        if reading.step_back_if_shrunk(_total_results(page)):
            continue
        new = reading.take_new(_page_resources(page, label))
        for each in new:
            yield each
        if reading.is_at_end(new):
            return
