"""The comparisons of a filter, each with its place in the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.scoping.scim_filter.tokens import Tokens
from cloudforest.program.scoping.scim_filter.tree import parse_filter

Tree = Compare | Present | ValuePath
_VALUES = frozenset({"TRUE", "FALSE", "NULL", "NUMBER", "COMP_VALUE"})


class Leaf(NamedTuple):
    """A comparison with an attribute: within brackets, with the one before them.

    `written` is the attribute as it stands at `offset`; what it is compared with stands
    at `operand`, if there is such.
    """

    tree: Tree
    attribute: str
    written: str
    offset: int
    operand: int


def leaves(text: str) -> Iterator[Leaf]:
    """Yield the comparisons in the order of the text; raises SyntaxFault."""
    trees = _in_order(parse_filter(text), None)
    offset = 0
    for (tree, holder), (name, value) in zip(trees, _places(text), strict=True):
        offset = name if holder is None else offset
        attribute = tree.attribute if holder is None else holder
        written = text[offset : offset + len(attribute)]
        yield Leaf(tree, attribute, written, offset, value)


def _in_order(tree: Filter, holder: str | None) -> Iterator[tuple[Tree, str | None]]:
    """Yield each comparison, and the attribute of the brackets around it."""
    match tree:
        case Compare() | Present():
            yield tree, holder
        case ValuePath(attribute=name, operand=operand):
            yield tree, None
            yield from _in_order(operand, name)
        case Not(operand=operand):
            yield from _in_order(operand, holder)
        case And(operands=operands) | Or(operands=operands):
            for each in operands:
                yield from _in_order(each, holder)


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each name of an attribute stands, and what it is compared with."""
    name: int | None = None
    value = 0
    for token in Tokens(text):
        if token.type == "ATTRNAME":
            if name is not None:
                yield name, value
            name = value = token.index
        elif token.type in _VALUES:
            value = token.index
    if name is not None:
        yield name, value
