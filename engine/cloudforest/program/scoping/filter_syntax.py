"""SCIM filters over directory attributes (RFC 7644, 3.4.2.2): from text to tree.

Also finds mistakes in filters that parse, but would silently select the wrong objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, NoReturn

from scim2_filter_parser import ast, lexer, parser  # type: ignore[import-untyped]  # it has no types

from cloudforest.model.program import (
    And,
    Compare,
    Filter,
    Not,
    Or,
    Present,
    Scalar,
    ValuePath,
)
from cloudforest.program.ad_schema import (
    FILETIME_ATTRIBUTES,
    GENERALIZED_TIME_ATTRIBUTES,
    REFERENCE_ATTRIBUTES,
)
from cloudforest.program.faults import SyntaxFault, require_text
from cloudforest.program.scoping.predicates import (
    VALUE_NAME,
    is_filetime_value,
    is_moment,
)

MAX_LENGTH = 10_000
MAX_DEPTH = 50

ClauseTree = Compare | Present | ValuePath

_CONSTANTS: dict[str, Scalar] = {"TRUE": True, "FALSE": False, "NULL": None}
_VALUES = frozenset({*_CONSTANTS, "NUMBER", "COMP_VALUE"})
_WITH_CONSTANTS = frozenset({"eq", "ne"})
_WORD_TOKENS = {"has": "EQ", "or": "OR"}
"""Words that the shipped lexer lacks, or knows in one case only, and their tokens."""
_OPENING_TOKENS = frozenset({"LPAREN", "LBRACKET"})
_CLOSING_TOKENS = frozenset({"RPAREN", "RBRACKET"})
_TOKENS_AFTER_PATH = frozenset({"AND", "OR", *_CLOSING_TOKENS})
_REFUSED = {
    "SUBATTR": "Directory attributes have no sub-attributes. Write the name alone.",
    "SCHEMA_URI": "Directory attributes have no schema. Write the name alone.",
}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LIKE_A_NUMBER = re.compile(r"[+-]?\.?[0-9][A-Za-z0-9_.,+-]*")
_COMPARING_OPERATORS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_DATES = "2026-01-31, 2026-01-31T08:00Z or 2026-01-31T08:00:00+01:00"
_END_OF_NAME = r"(?![A-Za-z0-9_$.-])"


class _Lexer(lexer.SCIMLexer):  # type: ignore[misc]  # its base has no types
    """The shipped lexer, fixed.

    It read numbers of one digit only, and no escapes in strings; it took `trueName` for
    `true`.
    """

    tokens = lexer.SCIMLexer.tokens
    ignore = " \t\r\n"
    FALSE = "[Ff][Aa][Ll][Ss][Ee]" + _END_OF_NAME
    TRUE = "[Tt][Rr][Uu][Ee]" + _END_OF_NAME
    NULL = "[Nn][Uu][Ll][Ll]" + _END_OF_NAME
    NUMBER = (
        r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?"
        + _END_OF_NAME
    )
    COMP_VALUE = r'"(?:[^"\\]|\\[\s\S])*"'

    def error(self, token: Any) -> None:
        raise SyntaxFault(_describe_unreadable(token.value), token.index)


def _describe_unreadable(rest: str) -> str:
    """Return why a text does not start with a token."""
    if rest[0] == '"':
        return "The string is not closed."
    if rest[0] == ";":
        return "Attribute options such as ;binary are not supported."
    if found := _LIKE_A_NUMBER.match(rest):
        if _NUMBER.fullmatch(found[0]):
            return (
                f'The number "{found[0][:50]}" is too long. At most 19 digits, 17'
                " decimals and 2 digits of the exponent are allowed."
            )
        return (
            f'Invalid number "{found[0][:50]}". Write 5, -5, 0.5 or 5e3, without'
            " leading zeros. Put a text in double quotes."
        )
    return f'Unexpected character "{rest[0]}".'


def _parse_string(literal: str, offset: int) -> str:
    try:
        value = str(json.loads(literal, strict=False))
        value.encode()
    except ValueError as error:
        raise SyntaxFault(
            'Invalid string. Write a backslash as \\\\, and a quote as \\".', offset
        ) from error
    return value


def _parse_value(kind: str, literal: str, offset: int) -> Scalar:
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind == "COMP_VALUE":
        return _parse_string(literal, offset)
    return int(literal) if literal.lstrip("-").isdigit() else float(literal)


class FilterTokens:
    """The checked tokens of a text, with values; `last` is the offset of the latest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.last = 0
        self._depth = 0
        self._within = False
        self._before = ""
        self._operator = ""

    def __iter__(self) -> Iterator[Any]:
        for token in _Lexer().tokenize(self.text):
            self.last = token.index
            if token.type == "ATTRNAME":
                token.type = _WORD_TOKENS.get(token.value.lower(), "ATTRNAME")
            self._check_token(token)
            if token.type in _VALUES:
                literal = self.text[token.index : token.end]
                token.value = _parse_value(token.type, literal, token.index)
                self._check_value(token.value)
            else:
                self._operator = token.value.lower()
            self._before = token.type
            yield token
        self.last = len(self.text)

    def _check_token(self, token: Any) -> None:
        if token.type in _REFUSED:
            self._refuse(_REFUSED[token.type])
        self._check_path(token)
        if token.type in {"LBRACKET", "RBRACKET"}:
            self._within = token.type == "LBRACKET"
        self._depth += (token.type in _OPENING_TOKENS) - (token.type in _CLOSING_TOKENS)
        if self._depth > MAX_DEPTH:
            self._refuse(f"The filter has more than {MAX_DEPTH} nested levels.")

    def _check_path(self, token: Any) -> None:
        if self._before == "RBRACKET" and token.type not in _TOKENS_AFTER_PATH:
            self._refuse("A value path ends at its bracket. Compare inside it.")
        if not self._within:
            return
        if token.type == "LBRACKET":
            self._refuse("A value path cannot contain another one.")
        if token.type == "ATTRNAME" and token.value.lower() != VALUE_NAME:
            self._refuse(
                'Inside the brackets, only the name "value" is allowed: one value of'
                " the attribute."
            )

    def _check_value(self, value: Scalar) -> None:
        is_constant = value is None or isinstance(value, bool)
        if self._operator == "has":
            if is_constant or not isinstance(value, int) or value < 1:
                self._refuse("has needs a positive whole number: the bits to test.")
        elif is_constant and self._operator not in _WITH_CONSTANTS:
            self._refuse("Only eq and ne compare with true, false and null.")

    def _refuse(self, message: str) -> NoReturn:
        raise SyntaxFault(message, self.last)


def _split_chain(node: Any) -> Iterator[list[Any]]:
    """Yield the operands of a chain of and/or, grouped by `and`.

    The shipped parser gives `and` and `or` the same precedence: it reads `a or b and c`
    as `(a or b) and c`. A group in parentheses is a separate node and stays together.
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


def join_filters(kind: type[And | Or], operands: Iterable[Filter]) -> Filter:
    """Join one or several filters."""
    joined = tuple(operands)
    return joined[0] if len(joined) == 1 else kind(operands=joined)


def _make_tree(node: Any) -> Filter:
    match node.expr:
        case ast.LogExpr():
            groups = reversed(list(_split_chain(node.expr)))
            every = (join_filters(And, map(_make_tree, each)) for each in groups)
            tree: Filter = join_filters(Or, every)
        case ast.AttrExpr():
            name, value = node.expr.attr_path.attr_name.lower(), node.expr.comp_value
            if value is None:
                tree = Present(attribute=name)
            else:
                operator = node.expr.value.lower()
                tree = Compare(attribute=name, operator=operator, value=value.value)
        case ast.Filter(namespace=ast.AttrPath(attr_name=name)):
            tree = ValuePath(attribute=name.lower(), operand=_make_tree(node.expr))
        case _:
            tree = _make_tree(node.expr)
    return Not(operand=tree) if node.negated else tree


def parse_filter(text: str) -> Filter:
    """Parse a filter; attribute names become lower case.

    Raises SyntaxFault with the offset of the first token that cannot be read.
    """
    require_text(text, what="filter", limit=MAX_LENGTH)
    tokens = FilterTokens(text)
    try:
        parsed = parser.SCIMParser().parse(iter(tokens))
    except parser.SCIMParserError as error:
        raise SyntaxFault(
            'Unreadable filter. Write comparisons such as department eq "Sales", joined'
            " by and, or, not (…).",
            tokens.last,
        ) from error
    return _make_tree(parsed)


class PlacedClause(NamedTuple):
    """A comparison of an attribute; in brackets, of the attribute before them.

    `spelling` is the attribute as written at `offset`. `operand` is the offset of the
    value that it is compared with, if any.
    """

    tree: ClauseTree
    attribute: str
    spelling: str
    offset: int
    operand: int


def locate_clauses(text: str) -> Iterator[PlacedClause]:
    """Yield the comparisons of a filter in order; raises SyntaxFault."""
    trees = _walk_clauses(parse_filter(text), None)
    offset = 0
    for (tree, holder), (name, value) in zip(trees, _find_offsets(text), strict=True):
        offset = name if holder is None else offset
        attribute = tree.attribute if holder is None else holder
        spelling = text[offset : offset + len(attribute)]
        yield PlacedClause(tree, attribute, spelling, offset, value)


def _walk_clauses(
    tree: Filter, holder: str | None
) -> Iterator[tuple[ClauseTree, str | None]]:
    """Yield each comparison, and the attribute of the brackets around it."""
    match tree:
        case Compare() | Present():
            yield tree, holder
        case ValuePath(attribute=name, operand=operand):
            yield tree, None
            yield from _walk_clauses(operand, name)
        case Not(operand=operand):
            yield from _walk_clauses(operand, holder)
        case And(operands=operands) | Or(operands=operands):
            for each in operands:
                yield from _walk_clauses(each, holder)


def _find_offsets(text: str) -> Iterator[tuple[int, int]]:
    """Yield the offsets of each attribute and of the value it is compared with."""
    name: int | None = None
    value = 0
    for token in FilterTokens(text):
        if token.type == "ATTRNAME":
            if name is not None:
                yield name, value
            name = value = token.index
        elif token.type in _VALUES:
            value = token.index
    if name is not None:
        yield name, value


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
