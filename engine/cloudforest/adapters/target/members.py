"""Membership changes as PATCH requests, none larger than allowed (RFC 7644, 3.5.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudforest.adapters.target.answers import not_scim
from cloudforest.adapters.target.lists import is_id

Operations = list[dict[str, Any]]


def member_values(document: Mapping[str, Any], place: str) -> frozenset[str]:
    """Return the ids of the members of a group that was read."""
    members = document.get("members") or []
    if (
        not document
        or not isinstance(members, list)
        or not all(isinstance(each, dict) for each in members)
    ):
        raise not_scim(place, "something that is not a group where one was asked for")
    return frozenset(each["value"] for each in members if is_id(each.get("value")))


def _removal(member: str) -> dict[str, Any]:
    literal = json.dumps(member, ensure_ascii=False)
    return {"op": "remove", "path": f"members[value eq {literal}]"}


def member_patches(
    *, add: Sequence[str], remove: Sequence[str], size: int
) -> Iterator[Operations]:
    """Yield the operations of each request, with at most `size` members in it."""
    for start in range(0, len(add), size):
        members = [{"value": each} for each in add[start : start + size]]
        yield [{"op": "add", "path": "members", "value": members}]
    for start in range(0, len(remove), size):
        yield [_removal(each) for each in remove[start : start + size]]
