"""The words of the expression language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cloudforest.model.program import Literally
from cloudforest.program.faults import SyntaxFault

NAMED_CONSTANTS = frozenset(
    {"vbTextCompare", "vbBinaryCompare", "UTF8", "ASCII", "Unicode"}
)
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


@dataclass(frozen=True)
class Token:
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


def tokens(text: str) -> Iterator[Token]:
    """Yield the words, and an `end` at last; raises SyntaxFault at what is none."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        kind = found.lastgroup or ""
        if kind != "space":
            yield Token(kind, found[kind], at)
        at = found.end()
    yield Token("end", "", at)


def written_within(text: str, offset: int, within: int) -> int:
    """Return where character `within` of the string at `offset` is written."""
    at = offset + 1
    for _ in range(within):
        at += 2 if text.startswith(("\\\\", '\\"'), at) else 1
    return at


def number(token: Token) -> Literally:
    whole = token.kind == "hex" or "." not in token.text
    if len(token.text) > MAX_DIGITS:
        raise SyntaxFault("The number is too large.", token.offset)
    value = (
        int(token.text, 16 if token.kind == "hex" else 10)
        if whole
        else float(token.text)
    )
    if not -_LARGEST - 1 <= value <= _LARGEST:
        raise SyntaxFault("The number is too large.", token.offset)
    return Literally(value=value)
