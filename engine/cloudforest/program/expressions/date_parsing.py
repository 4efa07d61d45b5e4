"""Dates read in a given format of .NET (DateTime.ParseExact).

Dates read without a format, as DateTime.Parse does in the invariant culture.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudforest.program.expressions.date_formatting import DAYS, MONTHS, Piece, pieces
from cloudforest.program.expressions.values import Moment, Value, text
from cloudforest.program.faults import ValueFault

NOT_SO = "The value is not a date of the format that it is read in."
_FARTHEST = timedelta(hours=14)
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


def _parts(written: str) -> Iterator[str]:
    """Yield the pieces; a point goes with the digits of a second that may be missing.

    Each takes what it can and gives nothing back, as in .NET, so none can run away.
    """
    every = pieces(written)
    optional = [each.letter == "F" for each in (*every[1:], Piece(""))]
    for index, (piece, before_optional) in enumerate(zip(every, optional, strict=True)):
        made = _matcher(piece, index)
        if piece.letter == "F" and index and every[index - 1].literal == ".":
            made = rf"(?:\.{made})?"
        elif before_optional and piece.literal == ".":
            continue
        yield f"(?>{made})"


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
    return re.compile("".join(_parts(written)), re.IGNORECASE | re.ASCII)


def _century(year: int) -> int:
    """Return the whole year of one of two digits."""
    whole = _TWO_DIGITS_UNTIL // 100 * 100 + year
    return whole if whole <= _TWO_DIGITS_UNTIL else whole - 100


def year_of(written: str) -> int:
    return int(written) if len(written) > 2 else _century(int(written))  # noqa: PLR2004


def month_of(written: str) -> int:
    """Return the number of a month, of which three letters are enough."""
    if written.isdecimal():
        return int(written)
    return [each[:3].lower() for each in MONTHS].index(written[:3].lower()) + 1


def require_weekday(at: datetime, named: str | None) -> None:
    """Raise ValueError if a date is not on the day that it is said to be on."""
    if named and DAYS[at.weekday()][:3].lower() != named[:3].lower():
        raise ValueError(named)


def offset(written: str) -> timedelta:
    """Return how far a zone is ahead of UTC; `Z` and nothing are UTC.

    Raises ValueError where none is so far.
    """
    digits = re.sub("[^0-9]", "", written)
    if not digits:
        return timedelta()
    minutes = int(digits[-2:]) if len(digits) > 2 else 0  # noqa: PLR2004 - hhmm
    hours = int(digits[:-2] if len(digits) > 2 else digits)  # noqa: PLR2004
    ahead = timedelta(hours=hours, minutes=minutes)
    if minutes >= 60 or ahead > _FARTHEST:  # noqa: PLR2004 - of an hour
        raise ValueError(written)
    return -ahead if written.startswith("-") else ahead


_FIELD_READERS: dict[str, Callable[[str], Any]] = {
    "y": year_of,
    "M": month_of,
    "f": lambda digits: int(digits[:6].ljust(6, "0")),
    "t": lambda half: half[0].lower(),
    "z": offset,
    "w": lambda name: name[:3].lower(),
}
_SAME = {"F": "f", "K": "z"}


def _named(found: re.Match[str]) -> dict[str, Any]:
    """Read each letter; one that comes twice says the same twice."""
    fields: dict[str, Any] = {}
    for group, written in found.groupdict().items():
        letter = _SAME.get(group[0], group[0])
        if letter == "d" and written and written.isalpha():
            letter = "w"
        if not written or letter == "g":
            continue
        value = _FIELD_READERS.get(letter, int)(written)
        if fields.setdefault(letter, value) != value:
            raise ValueFault(NOT_SO)
    return fields


def _hour_of_fields(fields: Mapping[str, Any]) -> int:
    if "h" not in fields:
        return int(fields.get("H", 0))
    hour = int(fields["h"])
    if not 1 <= hour <= 12:  # noqa: PLR2004 - the clock has twelve hours
        raise ValueFault(NOT_SO)
    return hour % 12 + (12 if fields.get("t") == "p" else 0)


def _datetime_of_fields(fields: Mapping[str, Any]) -> Read:
    local = datetime(
        *(
            fields.get("y", 1),
            fields.get("M", 1),
            fields.get("d", 1),
            _hour_of_fields(fields),
        ),
        *(fields.get("m", 0), fields.get("s", 0), fields.get("f", 0)),
        tzinfo=UTC,
    )
    require_weekday(local, fields.get("w"))
    return Read(local - fields.get("z", timedelta()), zoned="z" in fields)


def read_exact(source: str, written: str) -> Read:
    """Read a date; what the format leaves out is 1 January of the year 1, midnight.

    Raises ValueFault when the text is not of the format, or no such day exists.
    """
    found = _reader(written).fullmatch(source)
    if found is None:
        raise ValueFault(NOT_SO)
    try:
        return _datetime_of_fields(_named(found))
    except (ValueError, OverflowError) as error:
        raise ValueFault(NOT_SO) from error


_MONTH = "|".join(f"{each}|{each[:3]}" for each in MONTHS)
_DAY = "|".join(f"{each}|{each[:3]}" for each in DAYS)
_TIME = r"""
    (?:(?:T|\s+|\s*,\s*)
       (?P<hour>[0-9]{1,2})
       (?::(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2})(?:[.,](?P<part>[0-9]{1,9}))?)?
       )?\s*(?P<half>[AP]M)?
    )?
"""
_ZONE = r"\s*(?P<zone>Z|GMT|UTC|[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
_YEAR = r"(?P<year>[0-9]{4}|[0-9]{2})"
_DATES = (
    r"(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})",
    rf"(?P<month>[0-9]{{1,2}})[-/.](?P<day>[0-9]{{1,2}})[-/.]{_YEAR}",
    rf"(?:(?P<weekday>{_DAY}),?\s+)?(?P<day>[0-9]{{1,2}})[-\s]+(?P<month>{_MONTH}),?[-\s]+{_YEAR}",
    rf"(?:(?P<weekday>{_DAY}),?\s+)?(?P<month>{_MONTH})\s+(?P<day>[0-9]{{1,2}}),?\s+{_YEAR}",
)
_GENERALIZED = r"""
    (?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})
    (?P<hour>[0-9]{2})(?:(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2}))?)?
    (?:[.,](?P<part>[0-9]{1,9}))?(?P<half>\b\B)?(?P<zone>Z|[+-][0-9]{2}(?:[0-9]{2})?)
"""
"""The directory's own: generalized time (RFC 4517, 3.3.13)."""
_FORMS = tuple(
    re.compile(form, re.VERBOSE | re.IGNORECASE | re.ASCII)
    for form in (*(f"{each}{_TIME}{_ZONE}" for each in _DATES), _GENERALIZED)
)
_LONGEST = 100
_NOON = 12


def _hour_of_text(written: str | None, half: str | None) -> int:
    hour = int(written or 0)
    if half is None:
        return hour
    if not 1 <= hour <= _NOON:
        raise ValueError(hour)
    return hour % _NOON + (_NOON if half[0] in "pP" else 0)


def _datetime_of_match(found: re.Match[str]) -> datetime:
    local = datetime(
        *(year_of(found["year"]), month_of(found["month"]), int(found["day"])),
        *(_hour_of_text(found["hour"], found["half"]), int(found["minute"] or 0)),
        *(int(found["second"] or 0), int((found["part"] or "0")[:6].ljust(6, "0"))),
        tzinfo=UTC,
    )
    require_weekday(local, found.groupdict().get("weekday"))
    return local - offset(found["zone"] or "")


@functools.lru_cache(maxsize=4096)
def _read(source: str) -> datetime | None:
    matches = (each.fullmatch(source) for each in _FORMS)
    found = next((each for each in matches if each), None)
    if found is None:
        return None
    try:
        return _datetime_of_match(found)
    except (ValueError, OverflowError):
        return None


def moment_or_none(value: Value) -> Moment | None:
    if isinstance(value, Moment):
        return value
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    at = _read(value.strip())
    return None if at is None else Moment(at)


def moment(value: Value) -> Moment:
    """Read a date; one without a zone is in UTC. Raises ValueFault."""
    found = moment_or_none(text(value) if isinstance(value, tuple) else value)
    if found is None:
        raise ValueFault(
            "A date is needed here, such as 2026-08-31 or 8/31/2026 5:30:00 PM, and the"
            " value is not one."
            if value is not None
            else NOT_SO
        )
    return found
