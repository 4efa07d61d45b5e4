"""Mistakes in filters that parse, but would silently select the wrong objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

from cloudforest.model.program import Compare, Scalar
from cloudforest.program.ad_schema import (
    FILETIME_ATTRIBUTES,
    GENERALIZED_TIME_ATTRIBUTES,
    REFERENCE_ATTRIBUTES,
)
from cloudforest.program.scoping.filter_syntax import locate_clauses
from cloudforest.program.scoping.predicates import is_filetime_value, is_moment

_COMPARING_OPERATORS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_DATES = "2026-01-31, 2026-01-31T08:00Z or 2026-01-31T08:00:00+01:00"


class FilterMistake(NamedTuple):
    """A computed attribute, a DN for a reference, or an invalid date.

    `offset` counts characters of the filter.
    """

    kind: Literal["computed", "name", "date"]
    message: str
    offset: int


def find_filter_mistakes(text: str) -> Iterator[FilterMistake]:
    """Yield the mistakes in the order of the text; raises SyntaxFault."""
    for clause in locate_clauses(text):
        tree, name = clause.tree, clause.spelling
        if clause.attribute == "sourceanchor":
            message = (
                "A filter cannot use sourceAnchor, which is one of two attributes."
                " Write mS-DS-ConsistencyGuid or objectGUID."
            )
            yield FilterMistake("computed", message, clause.offset)
        elif not isinstance(tree, Compare):
            continue
        elif _is_reference_by_name(clause.attribute, tree.value):
            message = (
                f'{name} contains objectGUIDs, so "{tree.value}" never matches. Write'
                " the objectGUID, or add the group to `groups`."
            )
            yield FilterMistake("name", message, clause.offset)
        elif _is_unreadable_date(clause.attribute, tree):
            is_filetime = clause.attribute in FILETIME_ATTRIBUTES
            filetime = ", or a FILETIME" if is_filetime else ""
            literal = json.dumps(tree.value, ensure_ascii=False)
            message = (
                f"{name} contains dates, and {literal} is not a date. Write a date"
                f" such as {_DATES}{filetime}."
            )
            yield FilterMistake("date", message, clause.operand)


def _is_reference_by_name(attribute: str, value: Scalar) -> bool:
    return (
        attribute in REFERENCE_ATTRIBUTES
        and isinstance(value, str)
        and value.find("=") > 0
    )


def _is_unreadable_date(attribute: str, tree: Compare) -> bool:
    value = tree.value
    if value is None or tree.operator not in _COMPARING_OPERATORS or is_moment(value):
        return False
    return attribute in GENERALIZED_TIME_ATTRIBUTES or (
        attribute in FILETIME_ATTRIBUTES and not is_filetime_value(value)
    )
