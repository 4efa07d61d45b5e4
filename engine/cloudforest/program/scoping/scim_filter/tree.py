"""SCIM filters over directory attributes (RFC 7644, 3.4.2.2): from text to tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast

from scim2_filter_parser import (  # type: ignore[import-untyped]  # it has no types
    ast,
    parser,
)

from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.faults import SyntaxFault, require_text
from cloudforest.program.scoping.scim_filter.tokens import Tokens

MAX_LENGTH = 10_000

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "has"]


def _leaf(node: Any) -> Filter:
    attribute = node.attr_path.attr_name.lower()
    if node.comp_value is None:
        return Present(attribute=attribute)
    operator = cast("Operator", node.value.lower())
    return Compare(attribute=attribute, operator=operator, value=node.comp_value.value)


def _operands(node: Any) -> Iterator[list[Any]]:
    """Yield the operands of a chain of and/or, those joined by `and` together.

    The shipped parser gives both the same rank and leans left: `a or b and c` comes as
    (a or b) and c. A group in parentheses is a node of its own, so it stays together.
    """
    last = [node.expr2]
    while True:
        left, operator = node.expr1, node.op.lower()
        if operator == "or":
            yield last
            last = []
        if left.negated or not isinstance(left.expr, ast.LogExpr):
            yield [left, *last]
            return
        node = left.expr
        last = [node.expr2, *last]


def _joined(kind: type[And | Or], operands: Iterable[Filter]) -> Filter:
    several = tuple(operands)
    return several[0] if len(several) == 1 else kind(operands=several)


def _tree(node: Any) -> Filter:
    match node.expr:
        case ast.LogExpr():
            groups = reversed(list(_operands(node.expr)))
            tree = _joined(Or, (_joined(And, map(_tree, each)) for each in groups))
        case ast.AttrExpr():
            tree = _leaf(node.expr)
        case ast.Filter(namespace=ast.AttrPath(attr_name=name)):
            tree = ValuePath(attribute=name.lower(), operand=_tree(node.expr))
        case _:
            tree = _tree(node.expr)
    return Not(operand=tree) if node.negated else tree


def parse_filter(text: str) -> Filter:
    """Parse a filter; attribute names come out in lower case.

    Raises SyntaxFault with the offset of the first token that can't be read.
    """
    require_text(text, what="filter", limit=MAX_LENGTH)
    tokens = Tokens(text)
    try:
        parsed = parser.SCIMParser().parse(iter(tokens))
    except parser.SCIMParserError as error:
        raise SyntaxFault(
            "The filter can't be read here; it is made of comparisons such as"
            ' department eq "Sales", joined by and, or, not (…).',
            tokens.last,
        ) from error
    return _tree(parsed)
