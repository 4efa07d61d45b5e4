"""Read lists page by page from SCIM services, also from those that break the rules."""

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
"""Reads the ListResponse that starts at this index, which counts from 1."""
JsonObject = dict[str, Any]
MAX_REREADS = 100
"""How often a list may shrink while it is read."""


def equality_filter(path: str, value: MatchValue) -> str:
    """Return `path eq "value"`, with the value as in JSON (RFC 7644, 3.4.2.2).

    If the path has a value filter, the comparison moves into its brackets.
    """
    literal = json.dumps(value, ensure_ascii=False)
    match = _VALUE_FILTER_PATH.fullmatch(path)
    if match is None:
        return f"{path} eq {literal}"
    attribute, value_filter, sub_attribute = match.groups()
    return f"{attribute}[{value_filter} and {sub_attribute} eq {literal}]"


def is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def has_value(resource: Mapping[str, Any], path: str, value: MatchValue) -> bool:
    """Return whether the resource has the value: some servers ignore filters."""
    actual = extract_values(resource, (path,)).get(path)
    if not isinstance(actual, MatchValue):
        return False
    return make_match_key(path, actual) == make_match_key(path, value)


def require_list(document: JsonObject, label: str) -> JsonObject:
    """Return the document if it is a ListResponse, or close enough to one."""
    resources = document.get("Resources", [])
    if "totalResults" not in document and "Resources" not in document:
        raise make_not_scim_error(label, "with something that is not a list")
    if resources is not None and not isinstance(resources, list):
        raise make_not_scim_error(label, "with `Resources` that are not a list")
    return document


def _page_resources(page: JsonObject, label: str) -> list[JsonObject]:
    resources: list[Any] = page.get("Resources") or []
    if not all(isinstance(each, dict) and is_id(each.get("id")) for each in resources):
        raise make_not_scim_error(label, "with a list that has resources without id")
    return resources


@dataclass
class _ListReader:
    """The progress of reading a list; `last_ids` are those of its latest page."""

    label: str
    size: int
    start: int = 1
    total: int | None = None
    last_ids: frozenset[str] = frozenset()
    rereads: int = 0

    def step_back_if_shrunk(self, total: int | None) -> bool:
        """Step back if the list shrank; return whether to read from there again.

        When a resource is deleted, those after it move up by one place.
        """
        gone = (self.total or 0) - (total or 0)
        self.total = total
        if total is None or gone <= 0 or self.start == 1:
            return False
        self.rereads += 1
        if self.rereads > MAX_REREADS:
            raise Rejected(
                f"{self.label} answered with a `totalResults` that shrinks from page"
                " to page. Try again when fewer resources are deleted there."
            )
        self.start = max(1, self.start - gone)
        self.last_ids = frozenset()
        return True

    def take_new(self, page: list[JsonObject]) -> list[JsonObject]:
        """Return the resources of a page that are new, and move past the page."""
        new = [each for each in page if each["id"] not in self.last_ids]
        if not new and self._is_incomplete(page):
            total = "an unknown number" if self.total is None else self.total
            raise Rejected(
                f"{self.label} stopped after {self.start - 1} of {total} resources: its"
                " pages do not advance with `startIndex`."
            )
        self.last_ids = frozenset(each["id"] for each in page)
        self.start += len(page)
        return new

    def _is_incomplete(self, page: list[JsonObject]) -> bool:
        if self.total is None:
            # The same page again is the whole list, unless the page is full.
            return len(page) == self.size
        return self.start <= self.total

    def is_at_end(self, new: list[JsonObject]) -> bool:
        return not new if self.total is None else self.start > self.total


async def read_all_resources(
    fetch: FetchPage, label: str, *, size: int
) -> AsyncIterator[JsonObject]:
    """Yield all resources of a list, with one page of about `size` in memory.

    Pages may be shorter than requested, and a list without a total ends with an empty
    page. A resource may come twice if others are deleted meanwhile. Raises Rejected if
    the list would never end, or ends too early: what is missing would look deleted.
    """
    reader = _ListReader(label, size)
    while True:
        page = await fetch(reader.start)
        total = page.get("totalResults")
        if reader.step_back_if_shrunk(total if isinstance(total, int) else None):
            continue
        new = reader.take_new(_page_resources(page, label))
        for each in new:
            yield each
        if reader.is_at_end(new):
            return
