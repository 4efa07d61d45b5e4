"""What a filter says that no directory could mean.

Each would let in the wrong people without a word, all of them under `not`.
"""

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
from cloudforest.program.scoping.filter_syntax import PlacedClause, locate_clauses
from cloudforest.program.scoping.predicates import is_filetime_value, is_moment

_COMPARING_OPERATORS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_DATES = "2026-01-31, 2026-01-31T08:00Z or 2026-01-31T08:00:00+01:00"


class FilterMistake(NamedTuple):
    """What is wrong: a computed attribute, a name for a reference, a date that is none.

    `offset` counts characters of the filter.
    """

    kind: Literal["computed", "name", "date"]
    message: str
    offset: int


def find_filter_mistakes(text: str) -> Iterator[FilterMistake]:
    """Yield them in the order of the text; raises SyntaxFault."""
    for leaf in locate_clauses(text):
        tree = leaf.tree
        if leaf.attribute == "sourceanchor":
            yield _make_anchor_mistake(leaf)
        elif isinstance(tree, Compare) and _is_reference_by_name(
            leaf.attribute, tree.value
        ):
            yield _make_name_mistake(leaf, tree)
        elif isinstance(tree, Compare) and _is_unreadable_date(leaf.attribute, tree):
            yield _make_date_mistake(leaf, tree)


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


def _make_anchor_mistake(clause: PlacedClause) -> FilterMistake:
    message = (
        "sourceAnchor is put together of two attributes, and a filter can't tell which;"
        " write mS-DS-ConsistencyGuid or objectGUID."
    )
    return FilterMistake("computed", message, clause.offset)


def _make_name_mistake(clause: PlacedClause, tree: Compare) -> FilterMistake:
    message = (
        f"{clause.spelling} holds the objectGUIDs of others, so nothing in it is "
        f'"{tree.value}"; write the objectGUID, or name the group in `groups`.'
    )
    return FilterMistake("name", message, clause.offset)


def _make_date_mistake(clause: PlacedClause, tree: Compare) -> FilterMistake:
    said = json.dumps(tree.value, ensure_ascii=False)
    also = ", or a FILETIME" if clause.attribute in FILETIME_ATTRIBUTES else ""
    message = (
        f"{clause.spelling} holds moments, and {said} is none; write a date such as"
        f" {_DATES}{also}."
    )
    return FilterMistake("date", message, clause.operand)
