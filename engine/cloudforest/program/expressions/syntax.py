"""Expressions of Microsoft Graph's attribute mappings: from text to tree.

Also locates the attributes that expressions and templates name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cloudforest.model.program import Attribute, Call, Constant, Expression
from cloudforest.program.expressions.analysis import (
    SELECT_UNIQUE_VALUE,
    find_expression_attributes,
)
from cloudforest.program.expressions.catalog import (
    FUNCTIONS,
    align_arguments,
    find_call_fault,
    make_unknown_function_fault,
)
from cloudforest.program.expressions.function import OPERATORS, Arguments
from cloudforest.program.expressions.templates import (
    ENVIRONMENT,
    parse_template,
    to_attribute_name,
)
from cloudforest.program.expressions.values import MAX_DIGITS
from cloudforest.program.faults import SyntaxFault, require_text

NAMED_CONSTANTS = ("vbTextCompare", "vbBinaryCompare", "UTF8", "ASCII", "Unicode")
MAX_LENGTH = 10_000
MAX_DEPTH = 50

AttributeLocation = tuple[str, int]
"""An attribute, and the offset of the first character of its name."""

_COMPARISONS = frozenset(OPERATORS) - {"&"}
_NOT_AT_TOP = f"{SELECT_UNIQUE_VALUE} must be the outermost function of an expression."
_UNCLOSED_REASONS = {
    '"': "The string is not closed.",
    "[": "Write an attribute as [name].",
}
_ESCAPE = re.compile(r'\\(["\\])')
_LARGEST = 2**63 - 1
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | \[\s*(?P<attribute>[A-Za-z][A-Za-z0-9_.;-]*)\s*\]
  | "(?P<string>(?:[^"\\]|\\.)*)"
  | &[Hh](?P<hex>[0-9A-Fa-f]+)\b
  | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![A-Za-z0-9_.])
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark><>|>=|<=|[=<>&,()])
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    kind: str
    text: str
    offset: int


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens, then an `end`; raises SyntaxFault at an unknown one."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            message = f'Unexpected character "{text[at]}".'
            raise SyntaxFault(_UNCLOSED_REASONS.get(text[at], message), at)
        kind = found.lastgroup or ""
        if kind != "space":
            yield Token(kind, found[kind], at)
        at = found.end()
    yield Token("end", "", at)


def locate_in_string(text: str, offset: int, within: int) -> int:
    """Return the offset of character `within` of the string literal at `offset`."""
    at = offset + 1
    for _ in range(within):
        at += 2 if text.startswith(("\\\\", '\\"'), at) else 1
    return at


def _parse_number(token: Token) -> Constant:
    if len(token.text) <= MAX_DIGITS:
        if token.kind == "hex":
            value: int | float = int(token.text, 16)
        else:
            value = float(token.text) if "." in token.text else int(token.text)
        if -_LARGEST - 1 <= value <= _LARGEST:
            return Constant(value=value)
    raise SyntaxFault("The number is too large.", token.offset)


class _Parser:
    """A recursive descent parser; `_next` is the first token that is not yet taken."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._next = next(self._tokens)
        self._first = self._next.offset
        self._depth = 0

    def _take_token(self) -> Token:
        taken = self._next
        if taken.kind != "end":
            self._next = next(self._tokens)
        return taken

    def _is_at(self, *marks: str) -> bool:
        return self._next.kind == "mark" and self._next.text in marks

    def parse(self) -> Expression:
        parsed = self._parse_comparison()
        _require_unique_value_at_top(parsed, self._first)
        if self._next.kind != "end":
            raise SyntaxFault("Expected the end of the expression.", self._next.offset)
        return parsed

    def _parse_comparison(self) -> Expression:
        start = self._next.offset
        left = self._parse_concatenation()
        if not self._is_at(*_COMPARISONS):
            return left
        operator, offsets = self._take_token(), [start, self._next.offset]
        return self._make_call(operator, [left, self._parse_concatenation()], offsets)

    def _parse_concatenation(self) -> Expression:
        offsets, mark = [self._next.offset], self._next
        parts = [self._parse_operand()]
        while self._is_at("&"):
            mark = self._take_token()
            offsets.append(self._next.offset)
            parts.append(self._parse_operand())
        return parts[0] if len(parts) == 1 else self._make_call(mark, parts, offsets)

    def _parse_operand(self) -> Expression:
        token = self._take_token()
        match token.kind:
            case "attribute":
                return Attribute(name=token.text.lower())
            case "string":
                return Constant(value=_ESCAPE.sub(r"\1", token.text))
            case "number" | "hex":
                return _parse_number(token)
            case "name":
                return self._parse_name(token)
            case _:
                raise SyntaxFault(
                    'Expected a function, an [attribute], a "string" or a number.',
                    token.offset,
                )

    def _parse_name(self, name: Token) -> Expression:
        if self._is_at("("):
            return self._parse_call(name)
        if name.text in NAMED_CONSTANTS:
            return Constant(value=name.text)
        if name.text in FUNCTIONS and FUNCTIONS[name.text].bare:
            return Call(function=name.text, arguments=())
        raise SyntaxFault(
            f'Unknown word "{name.text}". Write [{name.text}] for an attribute,'
            f' "{name.text}" for a text, or {name.text}() for a function.',
            name.offset,
        )

    def _parse_call(self, name: Token) -> Call:
        if name.text not in FUNCTIONS:
            unknown = make_unknown_function_fault(name.text)
            raise SyntaxFault(unknown.message, name.offset)
        is_inner = self._depth or name.offset != self._first
        if name.text == SELECT_UNIQUE_VALUE and is_inner:
            raise SyntaxFault(_NOT_AT_TOP, name.offset)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SyntaxFault(
                f"The expression has more than {MAX_DEPTH} nested levels.", name.offset
            )
        arguments, offsets = self._parse_arguments()
        self._depth -= 1
        return self._make_call(name, arguments, offsets)

    def _parse_arguments(self) -> tuple[list[Expression | None], list[int]]:
        """Return the arguments, None for an empty one, and their offsets."""
        offsets: list[int] = []
        arguments: list[Expression | None] = []
        while not arguments or self._is_at(","):
            self._take_token()
            offsets.append(self._next.offset)
            is_empty = self._is_at(",", ")")
            arguments.append(None if is_empty else self._parse_comparison())
        if not self._is_at(")"):
            raise SyntaxFault("Expected a comma or ).", self._next.offset)
        self._take_token()
        return ([], []) if arguments == [None] else (arguments, offsets)

    def _make_call(self, name: Token, arguments: Arguments, offsets: list[int]) -> Call:
        """Make a call; raise SyntaxFault at the argument or the name at fault."""
        aligned, places = align_arguments(name.text, arguments, offsets, name.offset)
        fault = find_call_fault(name.text, aligned)
        if fault is None:
            return Call(function=name.text, arguments=aligned)
        at = name.offset if fault.argument is None else places[fault.argument]
        if fault.within is not None and self._text.startswith('"', at):
            at = locate_in_string(self._text, at, fault.within)
        raise SyntaxFault(fault.message, at)


def _require_unique_value_at_top(parsed: Expression, first: int) -> None:
    """Refuse an operator applied to a function that must be the outermost one."""
    if not isinstance(parsed, Call) or parsed.function not in OPERATORS:
        return
    left = parsed.arguments[0]
    while isinstance(left, Call) and left.function in OPERATORS:
        left = left.arguments[0]
    if isinstance(left, Call) and left.function == SELECT_UNIQUE_VALUE:
        raise SyntaxFault(_NOT_AT_TOP, first)


def parse_expression(text: str) -> Expression:
    """Parse an expression; attribute names become lower case.

    Raises SyntaxFault with the offset of the unreadable token, the unknown function or
    the wrong argument.
    """
    require_text(text, what="expression", limit=MAX_LENGTH)
    return _Parser(text).parse()


def locate_in_expression(text: str) -> Iterator[AttributeLocation]:
    for each in tokenize(text):
        if each.kind == "attribute":
            yield each.text, text.index(each.text, each.offset)


def locate_in_template(text: str) -> Iterator[AttributeLocation]:
    reads = find_expression_attributes(parse_template(text))
    # The lexer turns every line break into one character.
    text, at = text.replace("\r\n", " \n").replace("\r", "\n"), 0
    for _, kind, written in ENVIRONMENT.lex(text):
        # The lexer leaves out white space only.
        at = text.index(written, at)
        if kind == "name" and to_attribute_name(written) in reads:
            yield written.replace("_", "-"), at
        at += len(written)


def parse_expression_or_none(text: str) -> Expression | None:
    try:
        return parse_expression(text)
    except SyntaxFault:
        return None
