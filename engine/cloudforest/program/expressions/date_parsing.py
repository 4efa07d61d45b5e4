"""Parsing of dates as .NET does: ParseExact, and Parse in the invariant culture."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudforest.program.expressions.date_formatting import (
    DAY_NAMES,
    MONTH_NAMES,
    FormatPiece,
    split_format,
)
from cloudforest.program.expressions.values import Moment, Value, as_text
from cloudforest.program.faults import ValueFault

NOT_OF_THIS_FORMAT = "The value is not a date in the input format."
_MAX_UTC_OFFSET = timedelta(hours=14)
_TWO_DIGITS_UNTIL = 2049
"""Two digits mean one of the hundred years that end here, as in .NET."""
_FIXED_PATTERNS = {
    "t1": "[AP]",
    "t2": "[AP]M",
    "z1": "[+-][0-9]{1,2}",
    "z2": "[+-][0-9]{2}",
    "z3": "[+-][0-9]{2}:?[0-9]{2}",
    "K1": "Z|[+-][0-9]{2}:?[0-9]{2}|",
    "g1": r"A\.D\.|AD",
}
_SAME_LETTERS = {"F": "f", "K": "z"}
_MONTH_PATTERN = "|".join(f"{each}|{each[:3]}" for each in MONTH_NAMES)
_DAY_PATTERN = "|".join(f"{each}|{each[:3]}" for each in DAY_NAMES)
_TIME_PATTERN = r"""
    (?:(?:T|\s+|\s*,\s*)
       (?P<hour>[0-9]{1,2})
       (?::(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2})(?:[.,](?P<part>[0-9]{1,9}))?)?
       )?\s*(?P<half>[AP]M)?
    )?
"""
_ZONE_PATTERN = r"\s*(?P<zone>Z|GMT|UTC|[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
_YEAR_PATTERN = r"(?P<year>[0-9]{4}|[0-9]{2})"
_DATE_PATTERNS = (
    r"(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})",
    rf"(?P<month>[0-9]{{1,2}})[-/.](?P<day>[0-9]{{1,2}})[-/.]{_YEAR_PATTERN}",
    rf"(?:(?P<weekday>{_DAY_PATTERN}),?\s+)?(?P<day>[0-9]{{1,2}})[-\s]+(?P<month>{_MONTH_PATTERN}),?[-\s]+{_YEAR_PATTERN}",
    rf"(?:(?P<weekday>{_DAY_PATTERN}),?\s+)?(?P<month>{_MONTH_PATTERN})\s+(?P<day>[0-9]{{1,2}}),?\s+{_YEAR_PATTERN}",
)
_GENERALIZED_TIME = r"""
    (?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})
    (?P<hour>[0-9]{2})(?:(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2}))?)?
    (?:[.,](?P<part>[0-9]{1,9}))?(?P<half>\b\B)?(?P<zone>Z|[+-][0-9]{2}(?:[0-9]{2})?)
"""
"""Generalized time (RFC 4517, 3.3.13), as a directory writes it."""
_FORMS = tuple(
    re.compile(form, re.VERBOSE | re.IGNORECASE | re.ASCII)
    for form in (
        *(f"{each}{_TIME_PATTERN}{_ZONE_PATTERN}" for each in _DATE_PATTERNS),
        _GENERALIZED_TIME,
    )
)
_MAX_LENGTH = 100
_NOON = 12


def _join_names(names: tuple[str, ...], *, short: bool) -> str:
    return "|".join(each[:3] if short else each for each in names)


_NAME_PATTERNS = {
    ("d", 3): _join_names(DAY_NAMES, short=True),
    ("d", 4): _join_names(DAY_NAMES, short=False),
    ("M", 3): _join_names(MONTH_NAMES, short=True),
    ("M", 4): _join_names(MONTH_NAMES, short=False),
}


@dataclass(frozen=True)
class ParsedDate:
    """A date in UTC; `has_zone` if the text contained a time zone."""

    at: datetime
    has_zone: bool = False


def _digits_pattern(piece: FormatPiece) -> str:
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


def _make_patterns(format_text: str) -> Iterator[str]:
    """Yield a pattern for each piece; optional decimals include their point.

    The patterns are atomic, as in .NET, so that none can backtrack without end.
    """
    every = split_format(format_text)
    optional = [each.letter == "F" for each in (*every[1:], FormatPiece(""))]
    for index, (piece, before_optional) in enumerate(zip(every, optional, strict=True)):
        made = _make_pattern(piece, index)
        if piece.letter == "F" and index and every[index - 1].literal == ".":
            made = rf"(?:\.{made})?"
        elif before_optional and piece.literal == ".":
            continue
        yield f"(?>{made})"


def _make_pattern(piece: FormatPiece, index: int) -> str:
    if not piece.letter:
        return re.escape(piece.literal)
    letter, count = piece.letter, piece.count
    word = _NAME_PATTERNS.get((letter, min(count, 4)))
    fixed = _FIXED_PATTERNS.get(f"{letter}{min(count, 3)}") or _FIXED_PATTERNS.get(
        f"{letter}2"
    )
    fixed = fixed or _FIXED_PATTERNS.get(f"{letter}1")
    return f"(?P<{letter}{index}>{word or fixed or _digits_pattern(piece)})"


@functools.lru_cache(maxsize=256)
def _compile_format(format_text: str) -> re.Pattern[str]:
    return re.compile("".join(_make_patterns(format_text)), re.IGNORECASE | re.ASCII)


def _add_century(year: int) -> int:
    """Return the full year for two digits."""
    whole = _TWO_DIGITS_UNTIL // 100 * 100 + year
    return whole if whole <= _TWO_DIGITS_UNTIL else whole - 100


def parse_year(text: str) -> int:
    return int(text) if len(text) > 2 else _add_century(int(text))  # noqa: PLR2004


def parse_month(text: str) -> int:
    """Return the number of a month; three letters are enough."""
    if text.isdecimal():
        return int(text)
    return [each[:3].lower() for each in MONTH_NAMES].index(text[:3].lower()) + 1


def require_weekday(at: datetime, name: str | None) -> None:
    """Raise ValueError if a date is not on the named weekday."""
    if name and DAY_NAMES[at.weekday()][:3].lower() != name[:3].lower():
        raise ValueError(name)


def parse_utc_offset(zone: str) -> timedelta:
    """Return how far a zone is ahead of UTC; `Z` and an empty text are UTC.

    Raises ValueError for an impossible offset.
    """
    digits = re.sub("[^0-9]", "", zone)
    if not digits:
        return timedelta()
    minutes = int(digits[-2:]) if len(digits) > 2 else 0  # noqa: PLR2004 - hhmm
    hours = int(digits[:-2] if len(digits) > 2 else digits)  # noqa: PLR2004
    ahead = timedelta(hours=hours, minutes=minutes)
    if minutes >= 60 or ahead > _MAX_UTC_OFFSET:  # noqa: PLR2004 - of an hour
        raise ValueError(zone)
    return -ahead if zone.startswith("-") else ahead


_FIELD_PARSERS: dict[str, Callable[[str], Any]] = {
    "y": parse_year,
    "M": parse_month,
    "f": lambda digits: int(digits[:6].ljust(6, "0")),
    "t": lambda half: half[0].lower(),
    "z": parse_utc_offset,
    "w": lambda name: name[:3].lower(),
}


def _parse_fields(found: re.Match[str]) -> dict[str, Any]:
    """Return the value of each letter; raise ValueFault if two values differ."""
    fields: dict[str, Any] = {}
    for group, written in found.groupdict().items():
        letter = _SAME_LETTERS.get(group[0], group[0])
        if letter == "d" and written and written.isalpha():
            letter = "w"
        if not written or letter == "g":
            continue
        value = _FIELD_PARSERS.get(letter, int)(written)
        if fields.setdefault(letter, value) != value:
            raise ValueFault(NOT_OF_THIS_FORMAT)
    return fields


def _compute_hour(fields: Mapping[str, Any]) -> int:
    if "h" not in fields:
        return int(fields.get("H", 0))
    hour = int(fields["h"])
    if not 1 <= hour <= 12:  # noqa: PLR2004 - the clock has twelve hours
        raise ValueFault(NOT_OF_THIS_FORMAT)
    return hour % 12 + (12 if fields.get("t") == "p" else 0)


def _assemble_date(fields: Mapping[str, Any]) -> ParsedDate:
    local = datetime(
        *(
            fields.get("y", 1),
            fields.get("M", 1),
            fields.get("d", 1),
            _compute_hour(fields),
        ),
        *(fields.get("m", 0), fields.get("s", 0), fields.get("f", 0)),
        tzinfo=UTC,
    )
    require_weekday(local, fields.get("w"))
    return ParsedDate(local - fields.get("z", timedelta()), has_zone="z" in fields)


def parse_exact_date(source: str, format_text: str) -> ParsedDate:
    """Parse a date; the parts that the format lacks are those of 0001-01-01 00:00.

    Raises ValueFault if the text is not in the format, or the date does not exist.
    """
    found = _compile_format(format_text).fullmatch(source)
    if found is None:
        raise ValueFault(NOT_OF_THIS_FORMAT)
    try:
        return _assemble_date(_parse_fields(found))
    except (ValueError, OverflowError) as error:
        raise ValueFault(NOT_OF_THIS_FORMAT) from error


def _parse_hour(written: str | None, half: str | None) -> int:
    hour = int(written or 0)
    if half is None:
        return hour
    if not 1 <= hour <= _NOON:
        raise ValueError(hour)
    return hour % _NOON + (_NOON if half[0] in "pP" else 0)


def _assemble_match(found: re.Match[str]) -> datetime:
    local = datetime(
        *(parse_year(found["year"]), parse_month(found["month"]), int(found["day"])),
        *(_parse_hour(found["hour"], found["half"]), int(found["minute"] or 0)),
        *(int(found["second"] or 0), int((found["part"] or "0")[:6].ljust(6, "0"))),
        tzinfo=UTC,
    )
    require_weekday(local, found.groupdict().get("weekday"))
    return local - parse_utc_offset(found["zone"] or "")


@functools.lru_cache(maxsize=4096)
def _parse_date(source: str) -> datetime | None:
    matches = (each.fullmatch(source) for each in _FORMS)
    found = next((each for each in matches if each), None)
    if found is None:
        return None
    try:
        return _assemble_match(found)
    except (ValueError, OverflowError):
        return None


def as_moment_or_none(value: Value) -> Moment | None:
    if isinstance(value, Moment):
        return value
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return None
    at = _parse_date(value.strip())
    return None if at is None else Moment(at)


def as_moment(value: Value) -> Moment:
    """Read a date; without a zone it is in UTC. Raises ValueFault."""
    found = as_moment_or_none(as_text(value) if isinstance(value, tuple) else value)
    if found is None:
        raise ValueFault(
            "The value is not a date such as 2026-08-31 or 8/31/2026 5:30:00 PM."
            if value is not None
            else NOT_OF_THIS_FORMAT
        )
    return found
