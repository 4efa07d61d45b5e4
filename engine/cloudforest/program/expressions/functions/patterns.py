"""Regular expressions as .NET writes them, run by `regex` under a time limit."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import regex

from cloudforest.program.faults import ValueFault

TIMEOUT = 1.0
"""Seconds that a pattern may work on one value, at first."""
LEAST_TIMEOUT = 0.01

_SYNTAX = re.compile(
    r"\\k[<{'](?P<again>\w+)[>}']|\\(?P<end>[zZ])|\\.|\(\?'(?P<name>\w+)'", re.DOTALL
)
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|([0-9]{1,9})|([$&]))")

_SLOW = "The regular expression takes too long on this object's value; make it simpler."

_ATOM = r"""(?: \\[dDwWsSbB] | \\[pP]\{\w+\} | \\[^\w] | [\w\ .,;:@/_\-'"^$)]
  | \[(?:[^\]\\[]|\\.)*\] | \((?!\?) | \(\?(?::|P?<\w+>) )*"""
_HARMLESS = re.compile(
    rf"{_ATOM}(?:[*+?]|\{{[0-9]+(?:,[0-9]*)?\}})?{_ATOM}", re.VERBOSE
)
_HARMLESS_LENGTH = 1000

Substitute = Callable[[str], str]


class Patience:
    """How many seconds the patterns of one expression may work on one value.

    Each that runs away halves it: one object may take a second, not a hundred thousand.
    """

    def __init__(self) -> None:
        self.seconds = TIMEOUT

    def lost(self) -> ValueFault:
        self.seconds = max(self.seconds / 2, LEAST_TIMEOUT)
        return ValueFault(_SLOW)


@functools.lru_cache(maxsize=256)
def is_harmless(pattern: str) -> bool:
    """Tell whether a pattern can't run away on a short value.

    With one quantifier and no alternative, its work grows with the square of the
    length. Looking at the clock takes longer than most matches.
    """
    return _HARMLESS.fullmatch(pattern) is not None


def _translated(found: re.Match[str]) -> str:
    if found["again"]:
        return f"(?P={found['again']})"
    if found["end"]:
        return r"\Z" if found["end"] == "z" else r"(?=\n?\Z)"
    return f"(?P<{found['name']}>" if found["name"] else found[0]


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> regex.Pattern[str]:
    """Compile a .NET pattern; raises ValueFault if it is not one."""
    try:
        return regex.compile(_SYNTAX.sub(_translated, pattern))
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise ValueFault("The regular expression is not valid.") from error


def _group(found: re.Match[str], pattern: regex.Pattern[str]) -> int:
    name, digits, sign = found.groups()
    if sign:
        return 0
    named = name if digits is None else digits
    number = int(named) if named.isdecimal() else pattern.groupindex.get(named, -1)
    return number if number <= pattern.groups else -1


def _parts(template: str, pattern: regex.Pattern[str]) -> list[str | int]:
    """Split a .NET replacement into texts and group numbers.

    A reference to a group that the pattern does not have stands for itself.
    """
    parts: list[str | int] = []
    end = 0
    for found in _REFERENCE.finditer(template):
        group = _group(found, pattern)
        parts.append(template[end : found.start()])
        if found[0] == "$$":
            parts.append("$")
        else:
            parts.append(found[0] if group < 0 else group)
        end = found.end()
    return [*parts, template[end:]]


def _timed(
    pattern: regex.Pattern[str], expand: Callable[..., str], patience: Patience
) -> Substitute:
    harmless = is_harmless(pattern.pattern)

    def substitute(source: str) -> str:
        if harmless and len(source) <= _HARMLESS_LENGTH:
            return pattern.sub(expand, source)
        try:
            return pattern.sub(expand, source, timeout=patience.seconds)
        except TimeoutError as error:
            raise patience.lost() from error

    return substitute


def substitution(
    pattern: regex.Pattern[str], replacement: str, patience: Patience
) -> Substitute:
    """Replace each match; `${name}`, `$1` and `$&` are parts of it."""
    parts = _parts(replacement, pattern)

    def expand(found: regex.Match[str]) -> str:
        return "".join(
            each if isinstance(each, str) else found[each] or "" for each in parts
        )

    return _timed(pattern, expand, patience)


def _require(pattern: regex.Pattern[str], group: str) -> None:
    if group not in pattern.groupindex:
        raise ValueFault("The regular expression has no group of that name.")


def group_substitution(
    pattern: regex.Pattern[str], group: str, patience: Patience, *, replacement: str
) -> Substitute:
    """Replace the text of one group in each match."""
    _require(pattern, group)

    def expand(found: regex.Match[str]) -> str:
        start, end = found.span(group)
        if start < 0:
            return found[0]
        whole, first = found.string, found.start()
        return whole[first:start] + replacement + whole[end : found.end()]

    return _timed(pattern, expand, patience)


def extract(
    pattern: regex.Pattern[str], group: str, patience: Patience, *, source: str
) -> str | None:
    """Return the text of a group of the first match."""
    _require(pattern, group)
    try:
        found = pattern.search(source, timeout=patience.seconds)
    except TimeoutError as error:
        raise patience.lost() from error
    return None if found is None else found[group]
