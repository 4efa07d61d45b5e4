"""What a filter says that no directory could mean.

Each would let in the wrong people without a word, all of them under `not`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

from cloudforest.model.program import Compare, Scalar
from cloudforest.program.ad_schema import FILETIMES, REFERENCES, TIMES
from cloudforest.program.scoping.filter_syntax import Leaf, leaves
from cloudforest.program.scoping.predicates import is_moment, is_tick

_COMPARING = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_DATES = "2026-01-31, 2026-01-31T08:00Z or 2026-01-31T08:00:00+01:00"


class Mistake(NamedTuple):
    """What is wrong: a computed attribute, a name for a reference, a date that is none.

    `offset` counts characters of the filter.
    """

    kind: Literal["computed", "name", "date"]
    message: str
    offset: int


def mistakes(text: str) -> Iterator[Mistake]:
    """Yield them in the order of the text; raises SyntaxFault."""
    for leaf in leaves(text):
        tree = leaf.tree
        if leaf.attribute == "sourceanchor":
            yield _of_anchor(leaf)
        elif isinstance(tree, Compare) and _is_a_name(leaf.attribute, tree.value):
            yield _of_name(leaf, tree)
        elif isinstance(tree, Compare) and _is_no_time(leaf.attribute, tree):
            yield _of_time(leaf, tree)


def _is_a_name(attribute: str, value: Scalar) -> bool:
    return attribute in REFERENCES and isinstance(value, str) and value.find("=") > 0


def _is_no_time(attribute: str, tree: Compare) -> bool:
    value = tree.value
    if value is None or tree.operator not in _COMPARING or is_moment(value):
        return False
    return attribute in TIMES or (attribute in FILETIMES and not is_tick(value))


def _of_anchor(leaf: Leaf) -> Mistake:
    message = (
        "sourceAnchor is put together of two attributes, and a filter can't tell which;"
        " write mS-DS-ConsistencyGuid or objectGUID."
    )
    return Mistake("computed", message, leaf.offset)


def _of_name(leaf: Leaf, tree: Compare) -> Mistake:
    message = (
        f"{leaf.written} holds the objectGUIDs of others, so nothing in it is "
        f'"{tree.value}"; write the objectGUID, or name the group in `groups`.'
    )
    return Mistake("name", message, leaf.offset)


def _of_time(leaf: Leaf, tree: Compare) -> Mistake:
    said = json.dumps(tree.value, ensure_ascii=False)
    also = ", or a FILETIME" if leaf.attribute in FILETIMES else ""
    message = (
        f"{leaf.written} holds moments, and {said} is none; write a date such as"
        f" {_DATES}{also}."
    )
    return Mistake("date", message, leaf.operand)
