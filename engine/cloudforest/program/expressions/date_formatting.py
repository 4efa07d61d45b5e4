"""Custom date formats of .NET, taken apart; the culture is the invariant one.

Dates written in a format of .NET.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import datetime

from cloudforest.program.faults import ValueFault

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "Sunday",
)
LONGEST = 200
"""Characters of a format, at most."""

STANDARD = {
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
"""The formats of one letter, as the invariant culture writes them."""

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
_LIMITS = {"f": 7, "F": 7}


@dataclass(frozen=True)
class Piece:
    """A run of one format letter, or, without a letter, a text that stands there."""

    letter: str
    count: int = 0
    literal: str = ""


def _piece(found: re.Match[str]) -> Piece | None:
    run = found["run"]
    if run:
        if len(run) > _LIMITS.get(run[0], LONGEST):
            raise ValueFault("The date format has more than 7 digits of a second.")
        return Piece(run[0], len(run))
    for quoted in (found["single"], found["double"]):
        if quoted is not None:
            return Piece("", literal=re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
    literal = found["escaped"] or found["other"]
    return Piece("", literal=literal) if literal else None


@functools.lru_cache(maxsize=256)
def pieces(written: str) -> tuple[Piece, ...]:
    """Take a format apart; raises ValueFault."""
    if not written or len(written) > LONGEST:
        raise ValueFault(f"A date format has 1 to {LONGEST} characters.")
    if len(written) == 1 and written not in STANDARD:
        raise ValueFault(
            "A date format of one letter is one of"
            f" {', '.join(STANDARD)}; %d is the letter itself."
        )
    whole = STANDARD.get(written, written)
    made, at = [], 0
    while at < len(whole):
        found = _TOKEN.match(whole, at)
        if found is None:
            raise ValueFault("The date format has a quote that is not closed.")
        made.append(_piece(found))
        at = found.end()
    return tuple(each for each in made if each is not None)


_FULL = 4
"""So many letters spell a name out; three cut it short."""
_SHORT = 3


def _day(at: datetime, count: int) -> str:
    if count >= _SHORT:
        name = DAYS[at.weekday()]
        return name if count >= _FULL else name[:_SHORT]
    return f"{at.day:0{count}}"


def _month(at: datetime, count: int) -> str:
    if count >= _SHORT:
        name = MONTHS[at.month - 1]
        return name if count >= _FULL else name[:_SHORT]
    return f"{at.month:0{count}}"


def _year(at: datetime, count: int) -> str:
    if count <= 2:  # noqa: PLR2004 - y and yy: without the century
        return f"{at.year % 100:0{count}}"
    return f"{at.year:0{count}}"


def _fraction(at: datetime, piece: Piece) -> str:
    digits = f"{at.microsecond:06}0"[: piece.count]
    return digits if piece.letter == "f" else digits.rstrip("0")


def _half(at: datetime, count: int) -> str:
    half = "AM" if at.hour < 12 else "PM"  # noqa: PLR2004 - noon
    return half if count > 1 else half[0]


def _two(value: int, count: int) -> str:
    return f"{value:0{min(count, 2)}}"


def _offset(count: int) -> str:
    """Everything is in UTC."""
    return {1: "+0", 2: "+00"}.get(count, "+00:00")


def _spelt(at: datetime, piece: Piece, *, zoned: bool) -> str:
    count = piece.count
    match piece.letter:
        case "d":
            return _day(at, count)
        case "M":
            return _month(at, count)
        case "y":
            return _year(at, count)
        case "f" | "F":
            return _fraction(at, piece)
        case letter:
            return _clock(at, letter, count, zoned=zoned)


def _clock(at: datetime, letter: str, count: int, *, zoned: bool) -> str:
    made = {
        "h": _two(at.hour % 12 or 12, count),
        "H": _two(at.hour, count),
        "m": _two(at.minute, count),
        "s": _two(at.second, count),
        "t": _half(at, count),
        "z": _offset(count),
        "K": "Z" if zoned else "",
        "g": "A.D.",
    }
    return made[letter]


def write_date(at: datetime, written: str, *, zoned: bool) -> str:
    """Write a date; `zoned`: its text said that it is in UTC, or in which zone."""
    made = ""
    for each in pieces(written):
        part = _spelt(at, each, zoned=zoned) if each.letter else each.literal
        if each.letter == "F" and not part:
            made = made.removesuffix(".")
        made += part
    return made
