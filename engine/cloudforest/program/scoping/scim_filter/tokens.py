"""SCIM filters as tokens: the shipped lexer mended, each token checked and valued."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from scim2_filter_parser import lexer  # type: ignore[import-untyped]  # it has no types

from cloudforest.model.program import Scalar
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.predicate import VALUE

MAX_DEPTH = 50

_CONSTANTS: dict[str, Scalar] = {"TRUE": True, "FALSE": False, "NULL": None}
_WITH_CONSTANTS = frozenset({"eq", "ne"})
_WORDS = {"has": "EQ", "or": "OR"}
"""Words that the shipped lexer does not know, or not in any case, and what they are
like."""
_OPENS, _CLOSES = frozenset({"LPAREN", "LBRACKET"}), frozenset({"RPAREN", "RBRACKET"})
_AFTER_A_PATH = frozenset({"AND", "OR", *_CLOSES})
_REFUSED = {
    "SUBATTR": "A directory attribute has no sub-attributes; write its name alone.",
    "SCHEMA_URI": "A directory attribute has no schema; write its name alone.",
}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LIKE_A_NUMBER = re.compile(r"[+-]?\.?[0-9][A-Za-z0-9_.,+-]*")
_END_OF_NAME = r"(?![A-Za-z0-9_$.-])"


class _Lexer(lexer.SCIMLexer):  # type: ignore[misc]  # its base has no types
    """As shipped, numbers have one digit, strings no escapes, `trueName` is `true`."""

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
        raise SyntaxFault(_unreadable(token.value), token.index)


def _unreadable(rest: str) -> str:
    """Return what is wrong with the beginning of a text that holds no token there."""
    if rest[0] == '"':
        return "The string is not closed."
    if rest[0] == ";":
        return "An attribute stands without options such as ;binary."
    if found := _LIKE_A_NUMBER.match(rest):
        if _NUMBER.fullmatch(found[0]):
            return (
                f"The number {found[0][:50]} is too large or too exact: it has at most"
                " 19 digits, 17 more behind the point, and two in the exponent."
            )
        return (
            f"{found[0][:50]} is no number: one is written 5, -5, 0.5 or 5e3, without"
            " leading zeros. As a text it stands in double quotes."
        )
    return f"The character {rest[0]} can't stand here."


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


class Tokens:
    """The tokens of a text, checked and valued, and the one read last."""

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
                token.type = _WORDS.get(token.value.lower(), "ATTRNAME")
            self._check(token)
            if token.type in {*_CONSTANTS, "NUMBER", "COMP_VALUE"}:
                literal = self.text[token.index : token.end]
                token.value = _value(token.type, literal, token.index)
                self._check_value(token.value)
            else:
                self._operator = token.value.lower()
            self._before = token.type
            yield token
        self.last = len(self.text)

    def _check(self, token: Any) -> None:
        if token.type in _REFUSED:
            self._refuse(_REFUSED[token.type])
        self._check_path(token)
        self._depth += (token.type in _OPENS) - (token.type in _CLOSES)
        if self._depth > MAX_DEPTH:
            self._refuse(f"The filter is nested more than {MAX_DEPTH} deep.")

    def _check_path(self, token: Any) -> None:
        if self._before == "RBRACKET" and token.type not in _AFTER_A_PATH:
            self._refuse("After the brackets of a value path nothing can be compared.")
        if self._within and token.type == "LBRACKET":
            self._refuse("A value path can't hold another one.")
        if self._within and token.type == "ATTRNAME" and token.value.lower() != VALUE:
            self._refuse(
                "Within the brackets there is one value of the attribute before them; "
                "it is called value."
            )
        if token.type in {"LBRACKET", "RBRACKET"}:
            self._within = token.type == "LBRACKET"

    def _check_value(self, value: Scalar) -> None:
        is_constant = value is None or isinstance(value, bool)
        if self._operator == "has":
            if is_constant or not isinstance(value, int) or value < 1:
                self._refuse("has takes the bits that must be set, a number from 1 on.")
        elif is_constant and self._operator not in _WITH_CONSTANTS:
            self._refuse("Only eq and ne can compare with true, false and null.")

    def _refuse(self, message: str) -> NoReturn:
        raise SyntaxFault(message, self.last)
