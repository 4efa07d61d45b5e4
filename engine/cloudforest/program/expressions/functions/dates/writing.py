"""Dates written in a format of .NET."""

from __future__ import annotations

from datetime import datetime

from cloudforest.program.expressions.functions.dates.pattern import (
    DAYS,
    MONTHS,
    Piece,
    pieces,
)

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
