"""Regular expressions as .NET writes them, run by `regex` under a time limit."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import regex

from cloudforest.program.faults import ValueFault

TIMEOUT = 1.0
"""Seconds that one pattern may work on one value."""

_SYNTAX = re.compile(
    r"\\k[<{'](?P<again>\w+)[>}']|\\(?P<end>[zZ])|\\.|\(\?'(?P<name>\w+)'", re.DOTALL
)
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|([0-9]{1,9})|([$&]))")

_SLOW = (
    "The regular expression ran for more than a second on one value; make it simpler."
)

Substitute = Callable[[str], str]


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


def _timed(pattern: regex.Pattern[str], expand: Callable[..., str]) -> Substitute:
    def substitute(source: str) -> str:
        try:
            return pattern.sub(expand, source, timeout=TIMEOUT)
        except TimeoutError as error:
            raise ValueFault(_SLOW) from error

    return substitute


def substitution(pattern: regex.Pattern[str], replacement: str) -> Substitute:
    """Replace each match; `${name}`, `$1` and `$&` are parts of it."""
    parts = _parts(replacement, pattern)

    def expand(found: regex.Match[str]) -> str:
        return "".join(
            each if isinstance(each, str) else found[each] or "" for each in parts
        )

    return _timed(pattern, expand)


def _require(pattern: regex.Pattern[str], group: str) -> None:
    if group not in pattern.groupindex:
        raise ValueFault("The regular expression has no group of that name.")


def group_substitution(
    pattern: regex.Pattern[str], group: str, *, replacement: str
) -> Substitute:
    """Replace the text of one group in each match."""
    _require(pattern, group)

    def expand(found: regex.Match[str]) -> str:
        start, end = found.span(group)
        if start < 0:
            return found[0]
        whole, first = found.string, found.start()
        return whole[first:start] + replacement + whole[end : found.end()]

    return _timed(pattern, expand)


def extract(pattern: regex.Pattern[str], group: str, *, source: str) -> str | None:
    """Return the text of a group of the first match."""
    _require(pattern, group)
    try:
        found = pattern.search(source, timeout=TIMEOUT)
    except TimeoutError as error:
        raise ValueFault(_SLOW) from error
    return None if found is None else found[group]
