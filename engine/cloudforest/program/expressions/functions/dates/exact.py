"""Dates read in a given format of .NET (DateTime.ParseExact)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloudforest.program.expressions.functions.dates.pattern import (
    DAYS,
    MONTHS,
    Piece,
    pieces,
)
from cloudforest.program.faults import ValueFault

NOT_SO = "The value is not a date of the format that it is read in."
_TWO_DIGITS_UNTIL = 2049
"""A year of two digits is one of the hundred that end here, as in .NET."""


def _names(names: tuple[str, ...], *, short: bool) -> str:
    return "|".join(each[:3] if short else each for each in names)


_WORDS = {
    ("d", 3): _names(DAYS, short=True),
    ("d", 4): _names(DAYS, short=False),
    ("M", 3): _names(MONTHS, short=True),
    ("M", 4): _names(MONTHS, short=False),
}
_FIXED = {
    "t1": "[AP]",
    "t2": "[AP]M",
    "z1": "[+-][0-9]{1,2}",
    "z2": "[+-][0-9]{2}",
    "z3": "[+-][0-9]{2}:?[0-9]{2}",
    "K1": "Z|[+-][0-9]{2}:?[0-9]{2}|",
    "g1": r"A\.D\.|AD",
}


@dataclass(frozen=True)
class Read:
    """A date in UTC; `zoned`: the text says in which zone it is."""

    at: datetime
    zoned: bool = False


def _digits(piece: Piece) -> str:
    count = piece.count
    match piece.letter:
        case "f":
            return f"[0-9]{{{count}}}"
        case "F":
            return f"[0-9]{{0,{count}}}"
        case "y" if count > 2:  # noqa: PLR2004 - the whole year
            return f"[0-9]{{{count}}}"
        case _:
            return "[0-9]{1,2}" if count == 1 else "[0-9]{2}"


def _matcher(piece: Piece, index: int) -> str:
    if not piece.letter:
        return re.escape(piece.literal)
    letter, count = piece.letter, piece.count
    word = _WORDS.get((letter, min(count, 4)))
    fixed = _FIXED.get(f"{letter}{min(count, 3)}") or _FIXED.get(f"{letter}2")
    fixed = fixed or _FIXED.get(f"{letter}1")
    return f"(?P<{letter}{index}>{word or fixed or _digits(piece)})"


@functools.lru_cache(maxsize=256)
def _reader(written: str) -> re.Pattern[str]:
    parts = (_matcher(each, index) for index, each in enumerate(pieces(written)))
    return re.compile("".join(parts), re.IGNORECASE | re.ASCII)


def _number(fields: Mapping[str, str], letter: str, default: int) -> int:
    found = fields.get(letter)
    if found is None:
        return default
    return int(found) if found.isdecimal() else default


def _year(fields: Mapping[str, str]) -> int:
    found = fields.get("y", "1")
    if len(found) > 2:  # noqa: PLR2004 - the whole year
        return int(found)
    century = _TWO_DIGITS_UNTIL // 100 * 100
    year = century + int(found)
    return year if "y" not in fields or year <= _TWO_DIGITS_UNTIL else year - 100


def _month(fields: Mapping[str, str]) -> int:
    found = fields.get("M", "1")
    if found.isdecimal():
        return int(found)
    short = [each[:3].lower() for each in MONTHS]
    return short.index(found[:3].lower()) + 1


def _hour(fields: Mapping[str, str]) -> int:
    if "h" not in fields:
        return _number(fields, "H", 0)
    hour = _number(fields, "h", 0)
    if not 1 <= hour <= 12:  # noqa: PLR2004 - the clock has twelve hours
        raise ValueFault(NOT_SO)
    return hour % 12 + (12 if fields.get("t", "a")[0] in "pP" else 0)


def offset(written: str) -> timedelta:
    """Return how far a zone is ahead of UTC; `Z` and nothing are UTC."""
    digits = re.sub("[^0-9]", "", written)
    if not digits:
        return timedelta()
    minutes = int(digits[-2:]) if len(digits) > 2 else 0  # noqa: PLR2004 - hhmm
    hours = int(digits[:-2] if len(digits) > 2 else digits)  # noqa: PLR2004
    ahead = timedelta(hours=hours, minutes=minutes)
    return -ahead if written.startswith("-") else ahead


def _fraction(fields: Mapping[str, str]) -> int:
    digits = fields.get("f") or fields.get("F") or "0"
    return int(digits[:6].ljust(6, "0"))


def _assembled(fields: Mapping[str, str]) -> Read:
    year = _year(fields) if "y" in fields else 1
    day = fields.get("d", "1")
    local = datetime(
        *(year, _month(fields), int(day) if day.isdecimal() else 1, _hour(fields)),
        *(_number(fields, "m", 0), _number(fields, "s", 0), _fraction(fields)),
        tzinfo=UTC,
    )
    zone = fields.get("z") or fields.get("K") or ""
    return Read(local - offset(zone), zoned=bool(zone))


def read_exact(source: str, written: str) -> Read:
    """Read a date; what the format leaves out is 1 January of the year 1, midnight.

    Raises ValueFault when the text is not of the format, or no such day exists.
    """
    found = _reader(written).fullmatch(source)
    if found is None:
        raise ValueFault(NOT_SO)
    named = {
        name[0]: value
        for name, value in found.groupdict().items()
        if not (name[0] == "d" and value.isalpha())
    }
    try:
        return _assembled(named)
    except (ValueError, OverflowError) as error:
        raise ValueFault(NOT_SO) from error
