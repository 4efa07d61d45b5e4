"""Lists whose order means nothing, and lists of what has a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

_ORDERED = {"controllers"}
"""The only lists that are read from first to last: which controller is asked first."""


def has_order(path: str) -> bool:
    return path.rsplit(".", 1)[-1] in _ORDERED


def by_name(value: Any) -> dict[str, Any] | None:
    """Return what has names, keyed by them; None where it is no such list."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(each, dict) and "name" in each for each in value):
        return None
    return {each["name"]: {**each, "name": None} for each in value}


def same(path: str, before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list) and not has_order(path):
        return sorted(before, key=_text) == sorted(after, key=_text)
    return bool(before == after)


def gone_and_new(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[Any], ...]:
    """Return what only the first has, and what only the second has."""
    gone = [each for each in before if each not in after]
    return gone, [each for each in after if each not in before]


def _text(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
