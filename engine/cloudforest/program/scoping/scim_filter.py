"""SCIM filters over directory attributes (RFC 7644, 3.4.2.2): from text to tree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast

from scim2_filter_parser import (  # type: ignore[import-untyped]  # it has no types
    ast,
    lexer,
    parser,
)

from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, Scalar
from cloudforest.program.faults import SyntaxFault, require_text

MAX_DEPTH = 50
MAX_LENGTH = 10_000

_CONSTANTS: dict[str, Scalar] = {"TRUE": True, "FALSE": False, "NULL": None}
_ORDERED = frozenset({"CO", "SW", "EW", "GT", "GE", "LT", "LE"})
_REFUSED = {
    "SUBATTR": "A directory attribute has no sub-attributes; write its name alone.",
    "SCHEMA_URI": "A directory attribute has no schema; write its name alone.",
    "LBRACKET": "A filter over directory attributes can't hold a value path.",
}
_END_OF_NAME = r"(?![A-Za-z0-9_$.-])"

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


class _Lexer(lexer.SCIMLexer):  # type: ignore[misc]  # its base has no types
    """As shipped, numbers have one digit, strings no escapes, `trueName` is `true`."""

    tokens = lexer.SCIMLexer.tokens
    ignore = " \t\r\n"
    FALSE = "[Ff][Aa][Ll][Ss][Ee]" + _END_OF_NAME
    TRUE = "[Tt][Rr][Uu][Ee]" + _END_OF_NAME
    NULL = "[Nn][Uu][Ll][Ll]" + _END_OF_NAME
    NUMBER = (
        r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?"
        + _END_OF_NAME
    )
    COMP_VALUE = r'"(?:[^"\\]|\\[\s\S])*"'

    def error(self, token: Any) -> None:
        raise SyntaxFault(
            f"The character {token.value[0]} can't stand here.", token.index
        )


def _string(literal: str, offset: int) -> str:
    try:
        value = str(json.loads(literal, strict=False))
        value.encode()
    except ValueError as error:
        raise SyntaxFault(
            'The string is not valid: a backslash is written \\\\, a quote \\".',
            offset,
        ) from error
    return value


def _number(literal: str) -> int | float:
    return int(literal) if literal.lstrip("-").isdigit() else float(literal)


def _value(kind: str, literal: str, offset: int) -> Scalar:
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    return _number(literal) if kind == "NUMBER" else _string(literal, offset)


class _Reader:
    """The tokens of a text, checked and valued, and the one read last."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.last = 0
        self._depth = 0
        self._operator = ""

    def __iter__(self) -> Iterator[Any]:
        for token in _Lexer().tokenize(self.text):
            self.last = token.index
            self._check(token.type)
            if token.type in {*_CONSTANTS, "NUMBER", "COMP_VALUE"}:
                literal = self.text[token.index : token.end]
                token.value = _value(token.type, literal, token.index)
            self._operator = token.type
            yield token
        self.last = len(self.text)

    def _check(self, kind: str) -> None:
        if kind in _REFUSED:
            raise SyntaxFault(_REFUSED[kind], self.last)
        if kind in _CONSTANTS and self._operator in _ORDERED:
            raise SyntaxFault(
                "Only eq and ne can compare with true, false and null.", self.last
            )
        self._depth += {"LPAREN": 1, "RPAREN": -1}.get(kind, 0)
        if self._depth > MAX_DEPTH:
            raise SyntaxFault(
                f"The filter is nested more than {MAX_DEPTH} deep.", self.last
            )


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
        case _:
            tree = _tree(node.expr)
    return Not(operand=tree) if node.negated else tree


def parse_filter(text: str) -> Filter:
    """Parse a filter; attribute names come out in lower case.

    Raises SyntaxFault with the offset of the first token that can't be read.
    """
    require_text(text, what="filter", limit=MAX_LENGTH)
    reader = _Reader(text)
    try:
        parsed = parser.SCIMParser().parse(iter(reader))
    except parser.SCIMParserError as error:
        raise SyntaxFault(
            "The filter can't be read here; it is made of comparisons such as"
            ' department eq "Sales", joined by and, or, not (…).',
            reader.last,
        ) from error
    return _tree(parsed)
