"""Date formats of .NET in the invariant culture, and dates written in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cloudforest.program.faults import ValueFault

MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAY_NAMES = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "Sunday",
)
MAX_FORMAT_LENGTH = 200
"""The most characters of a format."""

STANDARD_FORMATS = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss.fffffffK",
    "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
"""The formats of one letter, in the invariant culture."""

_TOKEN = re.compile(
    r"""
    (?P<run>d+|f+|F+|g+|h+|H+|K|m+|M+|s+|t+|y+|z+)
  | '(?P<single>(?:[^'\\]|\\.)*)'
  | "(?P<double>(?:[^"\\]|\\.)*)"
  | \\(?P<escaped>.)
  | %(?=[dfFghHKmMstyz])
  | (?P<other>[^'"\\%])
    """,
    re.VERBOSE | re.DOTALL,
)
_MAX_COUNTS = {"f": 7, "F": 7}
_NOON = 12
_SHORT_NAME_COUNT = 3
"""The number of letters for a short name; more give the full name."""


@dataclass(frozen=True)
class FormatPiece:
    """A run of one format letter, or a literal text if `letter` is empty."""

    letter: str
    count: int = 0
    literal: str = ""


def _make_piece(found: re.Match[str]) -> FormatPiece | None:
    if run := found["run"]:
        if len(run) > _MAX_COUNTS.get(run[0], MAX_FORMAT_LENGTH):
            raise ValueFault("The date format has more than 7 decimals of a second.")
        return FormatPiece(run[0], len(run))
    quoted = found["double"] if found["single"] is None else found["single"]
    if quoted is not None:
        literal = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        return FormatPiece("", literal=literal)
    literal = found["escaped"] or found["other"]
    return FormatPiece("", literal=literal) if literal else None


@functools.lru_cache(maxsize=256)
def split_format(format_text: str) -> tuple[FormatPiece, ...]:
    """Split a format into its pieces; raises ValueFault."""
    if not format_text or len(format_text) > MAX_FORMAT_LENGTH:
        raise ValueFault(
            f"A date format must have 1 to {MAX_FORMAT_LENGTH} characters."
        )
    if len(format_text) == 1 and format_text not in STANDARD_FORMATS:
        raise ValueFault(
            "Unknown date format of one letter. Choose one of:"
            f" {', '.join(STANDARD_FORMATS)}. Write % before a letter, as in %d, to use"
            " it as a custom format."
        )
    whole = STANDARD_FORMATS.get(format_text, format_text)
    made, at = [], 0
    while at < len(whole):
        found = _TOKEN.match(whole, at)
        if found is None:
            raise ValueFault("The date format has an unclosed quote.")
        made.append(_make_piece(found))
        at = found.end()
    return tuple(each for each in made if each is not None)


def _format_named(number: int, name: str, count: int) -> str:
    """Write a day or month as a number, or as its short or full name."""
    if count < _SHORT_NAME_COUNT:
        return f"{number:0{count}}"
    return name if count > _SHORT_NAME_COUNT else name[:_SHORT_NAME_COUNT]


def _format_fraction(at: datetime, count: int) -> str:
    return f"{at.microsecond:06}0"[:count]


def _format_two_digits(value: int, count: int) -> str:
    return f"{value:0{min(count, 2)}}"


_FORMATTERS: dict[str, Callable[[datetime, int], str]] = {
    "d": lambda at, count: _format_named(at.day, DAY_NAMES[at.weekday()], count),
    "M": lambda at, count: _format_named(at.month, MONTH_NAMES[at.month - 1], count),
    "y": lambda at, count: f"{at.year if count > 2 else at.year % 100:0{count}}",  # noqa: PLR2004 - y and yy: without the century
    "f": _format_fraction,
    "F": lambda at, count: _format_fraction(at, count).rstrip("0"),
    "h": lambda at, count: _format_two_digits(at.hour % 12 or 12, count),
    "H": lambda at, count: _format_two_digits(at.hour, count),
    "m": lambda at, count: _format_two_digits(at.minute, count),
    "s": lambda at, count: _format_two_digits(at.second, count),
    "t": lambda at, count: ("AM" if at.hour < _NOON else "PM")[:count],
    "z": lambda _at, count: {1: "+0", 2: "+00"}.get(count, "+00:00"),
    "g": lambda _at, _count: "A.D.",
}
"""What writes each letter but K. All dates are in UTC."""


def format_date(at: datetime, format_text: str, *, has_zone: bool) -> str:
    """Write a date; `has_zone` if its text contained a time zone, or `Z`."""
    made = ""
    for each in split_format(format_text):
        if each.letter == "K":
            made += "Z" if has_zone else ""
        elif each.letter:
            part = _FORMATTERS[each.letter](at, each.count)
            made = (made if part else made.removesuffix(".")) + part
        else:
            made += each.literal
    return made
