"""Date formats of .NET in the invariant culture, and dates written in them."""

from __future__ import annotations

import functools
import re
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
_FULL_NAME_COUNT = 4
"""The number of letters for a full name; three give a short name."""
_SHORT_NAME_COUNT = 3


@dataclass(frozen=True)
class FormatPiece:
    """A run of one format letter, or a literal text if `letter` is empty."""

    letter: str
    count: int = 0
    literal: str = ""


def _make_piece(found: re.Match[str]) -> FormatPiece | None:
    run = found["run"]
    if run:
        if len(run) > _MAX_COUNTS.get(run[0], MAX_FORMAT_LENGTH):
            raise ValueFault("The date format has more than 7 decimals of a second.")
        return FormatPiece(run[0], len(run))
    for quoted in (found["single"], found["double"]):
        if quoted is not None:
            return FormatPiece(
                "", literal=re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
            )
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


def _format_day(at: datetime, count: int) -> str:
    if count >= _SHORT_NAME_COUNT:
        name = DAY_NAMES[at.weekday()]
        return name if count >= _FULL_NAME_COUNT else name[:_SHORT_NAME_COUNT]
    return f"{at.day:0{count}}"


def _format_month(at: datetime, count: int) -> str:
    if count >= _SHORT_NAME_COUNT:
        name = MONTH_NAMES[at.month - 1]
        return name if count >= _FULL_NAME_COUNT else name[:_SHORT_NAME_COUNT]
    return f"{at.month:0{count}}"


def _format_year(at: datetime, count: int) -> str:
    if count <= 2:  # noqa: PLR2004 - y and yy: without the century
        return f"{at.year % 100:0{count}}"
    return f"{at.year:0{count}}"


def _format_fraction(at: datetime, piece: FormatPiece) -> str:
    digits = f"{at.microsecond:06}0"[: piece.count]
    return digits if piece.letter == "f" else digits.rstrip("0")


def _format_half(at: datetime, count: int) -> str:
    half = "AM" if at.hour < 12 else "PM"  # noqa: PLR2004 - noon
    return half if count > 1 else half[0]


def _format_two_digits(value: int, count: int) -> str:
    return f"{value:0{min(count, 2)}}"


def _format_utc_offset(count: int) -> str:
    """Return the offset of UTC: all dates are in UTC."""
    return {1: "+0", 2: "+00"}.get(count, "+00:00")


def _format_piece(at: datetime, piece: FormatPiece, *, zoned: bool) -> str:
    count = piece.count
    match piece.letter:
        case "d":
            return _format_day(at, count)
        case "M":
            return _format_month(at, count)
        case "y":
            return _format_year(at, count)
        case "f" | "F":
            return _format_fraction(at, piece)
        case letter:
            return _format_clock_piece(at, letter, count, zoned=zoned)


def _format_clock_piece(at: datetime, letter: str, count: int, *, zoned: bool) -> str:
    made = {
        "h": _format_two_digits(at.hour % 12 or 12, count),
        "H": _format_two_digits(at.hour, count),
        "m": _format_two_digits(at.minute, count),
        "s": _format_two_digits(at.second, count),
        "t": _format_half(at, count),
        "z": _format_utc_offset(count),
        "K": "Z" if zoned else "",
        "g": "A.D.",
    }
    return made[letter]


def format_date(at: datetime, format_text: str, *, has_zone: bool) -> str:
    """Write a date; `has_zone` if its text contained a time zone, or `Z`."""
    made = ""
    for each in split_format(format_text):
        part = _format_piece(at, each, zoned=has_zone) if each.letter else each.literal
        if each.letter == "F" and not part:
            made = made.removesuffix(".")
        made += part
    return made
