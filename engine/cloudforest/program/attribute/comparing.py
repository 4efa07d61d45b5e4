"""When two values of an attribute that we match by are the same."""

from __future__ import annotations

from cloudforest.model.provisioning import MatchValue
from cloudforest.program.expressions.functions.values import text

CASE_EXACT = frozenset({"externalId", "id"})
"""Compared exactly (RFC 7643, 3.1); the other strings that we match by are not."""


def comparable(path: str, value: MatchValue) -> str:
    """Return a text that is equal for equal values of the path, and only for those.

    A number, true and false equal the text that spells them.
    """
    return text(value) if path in CASE_EXACT else text(value).casefold()
