"""When two values of an attribute that we match by are the same."""

from __future__ import annotations

CASE_EXACT = frozenset({"externalId", "id"})
"""Compared exactly (RFC 7643, 3.1); the other strings that we match by are not."""


def comparable(path: str, value: str) -> str:
    """Return a text that is equal for equal values of the path, and only for those."""
    return value if path in CASE_EXACT else value.casefold()
