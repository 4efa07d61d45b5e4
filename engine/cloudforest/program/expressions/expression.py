"""The expression language of Microsoft Graph's attribute mappings: text to tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cloudforest.model.program import Attribute, Call, Expression, Literally
from cloudforest.program.expressions.functions import OPERATORS, complaint
from cloudforest.program.faults import SyntaxFault, require_text

MAX_LENGTH = 10_000
MAX_DEPTH = 50
NAMED_CONSTANTS = frozenset({"vbTextCompare", "vbBinaryCompare"})

_COMPARISONS = frozenset(OPERATORS) - {"&"}
MAX_DIGITS = 30
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
_ESCAPE = re.compile(r'\\(["\\])')


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    offset: int


def _unreadable(text: str, offset: int) -> SyntaxFault:
    match text[offset]:
        case '"':
            return SyntaxFault("The string is not closed.", offset)
        case "[":
            return SyntaxFault("An attribute is written [name].", offset)
        case character:
            return SyntaxFault(f"The character {character} can't stand here.", offset)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        kind = found.lastgroup or ""
        if kind != "space":
            yield _Token(kind, found[kind], at)
        at = found.end()
    yield _Token("end", "", at)


def _number(token: _Token) -> Literally:
    whole = token.kind == "hex" or "." not in token.text
    if len(token.text) > MAX_DIGITS:
        raise SyntaxFault("The number is too large.", token.offset)
    value = (
        int(token.text, 16 if token.kind == "hex" else 10)
        if whole
        else float(token.text)
    )
    if abs(value) > _LARGEST:
        raise SyntaxFault("The number is too large.", token.offset)
    return Literally(value=value)


class _Parser:
    """A recursive descent over the tokens; `_next` is the one not yet taken."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        self._depth = 0

    def _take(self) -> _Token:
        taken = self._next
        if taken.kind != "end":
            self._next = next(self._tokens)
        return taken

    def _at(self, *marks: str) -> bool:
        return self._next.kind == "mark" and self._next.text in marks

    def whole(self) -> Expression:
        parsed = self._comparison()
        if self._next.kind != "end":
            raise SyntaxFault("The expression should end here.", self._next.offset)
        return parsed

    def _comparison(self) -> Expression:
        left = self._concatenation()
        if not self._at(*_COMPARISONS):
            return left
        operator = self._take()
        return Call(function=operator.text, arguments=(left, self._concatenation()))

    def _concatenation(self) -> Expression:
        parts = [self._operand()]
        while self._at("&"):
            self._take()
            parts.append(self._operand())
        return parts[0] if len(parts) == 1 else Call(function="&", arguments=(*parts,))

    def _operand(self) -> Expression:
        token = self._take()
        match token.kind:
            case "attribute":
                return Attribute(name=token.text.lower())
            case "string":
                return Literally(value=_ESCAPE.sub(r"\1", token.text))
            case "number" | "hex":
                return _number(token)
            case "name":
                return self._named(token)
            case _:
                raise SyntaxFault(
                    'A function, an [attribute], a "string" or a number is missing'
                    " here.",
                    token.offset,
                )

    def _named(self, name: _Token) -> Expression:
        if self._at("("):
            return self._call(name)
        if name.text in NAMED_CONSTANTS:
            return Literally(value=name.text)
        raise SyntaxFault(
            f"An attribute is written [{name.text}], a string in quotes, and a function"
            " with parentheses.",
            name.offset,
        )

    def _call(self, name: _Token) -> Call:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SyntaxFault(
                f"The expression is nested more than {MAX_DEPTH} deep.", name.offset
            )
        arguments = self._arguments()
        self._depth -= 1
        wrong = complaint(name.text, arguments)
        if wrong is not None:
            raise SyntaxFault(wrong, name.offset)
        return Call(function=name.text, arguments=arguments)

    def _arguments(self) -> tuple[Expression | None, ...]:
        """Between commas there may be nothing; between parentheses too."""
        self._take()
        arguments = [self._argument()]
        while self._at(","):
            self._take()
            arguments.append(self._argument())
        if not self._at(")"):
            raise SyntaxFault("A comma or ) is missing here.", self._next.offset)
        self._take()
        return () if arguments == [None] else tuple(arguments)

    def _argument(self) -> Expression | None:
        return None if self._at(",", ")") else self._comparison()


def parse_expression(text: str) -> Expression:
    """Parse an expression; attribute names come out in lower case.

    Raises SyntaxFault with the offset of what can't be read, or of the function that is
    unknown or gets wrong arguments.
    """
    require_text(text, what="expression", limit=MAX_LENGTH)
    return _Parser(text).whole()
