"""Membership changes as PATCH requests, none larger than allowed (RFC 7644, 3.5.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

Operations = list[dict[str, Any]]


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
