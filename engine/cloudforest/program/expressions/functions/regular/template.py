"""The replacement texts of .NET's regular expressions."""

from __future__ import annotations

import re
from typing import Literal

import regex

Part = str | tuple[Literal["group", "before", "after", "all"], int]
"""A text, or what a match puts in its place; only `group` has a number."""

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|([0-9]{1,9})|([$&+_`']))")


def numbered(pattern: regex.Pattern[str]) -> tuple[int, ...]:
    """Return the groups in .NET's order: those without a name come first."""
    named = sorted(set(pattern.groupindex.values()))
    others = [each for each in range(1, pattern.groups + 1) if each not in named]
    return (0, *others, *named)


def _group(named: str, pattern: regex.Pattern[str]) -> int | None:
    if not named.isdecimal():
        return pattern.groupindex.get(named)
    numbers = numbered(pattern)
    number = int(named)
    return numbers[number] if number < len(numbers) else None


def _sign(sign: str, pattern: regex.Pattern[str]) -> Part:
    match sign:
        case "$":
            return "$"
        case "&":
            return ("group", 0)
        case "+":
            return ("group", numbered(pattern)[-1])
        case "`":
            return ("before", 0)
        case "'":
            return ("after", 0)
        case _:
            return ("all", 0)


def _part(found: re.Match[str], pattern: regex.Pattern[str]) -> Part:
    name, digits, sign = found.groups()
    if sign:
        return _sign(sign, pattern)
    group = _group(name or digits, pattern)
    return found[0] if group is None else ("group", group)


def parts_of(template: str, pattern: regex.Pattern[str]) -> tuple[Part, ...]:
    """Split a .NET replacement into texts and references.

    A reference to a group that the pattern does not have stands for itself.
    """
    parts: list[Part] = []
    end = 0
    for found in _REFERENCE.finditer(template):
        parts += [template[end : found.start()], _part(found, pattern)]
        end = found.end()
    return tuple(each for each in (*parts, template[end:]) if each != "")
