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
       (?P<H>[0-9]{1,2})
       (?::(?P<m>[0-9]{1,2})(?::(?P<s>[0-9]{1,2})(?:[.,](?P<f>[0-9]{1,9}))?)?
       )?\s*(?P<t>[AP]M)?
    )?
"""
_ZONE_PATTERN = r"\s*(?P<z>Z|GMT|UTC|[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
_YEAR_PATTERN = r"(?P<y>[0-9]{4}|[0-9]{2})"
_DATE_PATTERNS = (
    r"(?P<y>[0-9]{4})[-/.](?P<M>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})",
    rf"(?P<M>[0-9]{{1,2}})[-/.](?P<d>[0-9]{{1,2}})[-/.]{_YEAR_PATTERN}",
    rf"(?:(?P<w>{_DAY_PATTERN}),?\s+)?(?P<d>[0-9]{{1,2}})[-\s]+(?P<M>{_MONTH_PATTERN}),?[-\s]+{_YEAR_PATTERN}",
    rf"(?:(?P<w>{_DAY_PATTERN}),?\s+)?(?P<M>{_MONTH_PATTERN})\s+(?P<d>[0-9]{{1,2}}),?\s+{_YEAR_PATTERN}",
)
_GENERALIZED_TIME = r"""
    (?P<y>[0-9]{4})(?P<M>[0-9]{2})(?P<d>[0-9]{2})
    (?P<H>[0-9]{2})(?:(?P<m>[0-9]{2})(?:(?P<s>[0-9]{2}))?)?
    (?:[.,](?P<f>[0-9]{1,9}))?(?P<z>Z|[+-][0-9]{2}(?:[0-9]{2})?)
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
_NAME_PATTERNS = {
    (letter, count): "|".join(each[:3] if count == 3 else each for each in names)  # noqa: PLR2004 - a short name
    for letter, names in (("d", DAY_NAMES), ("M", MONTH_NAMES))
    for count in (3, 4)
}


@dataclass(frozen=True)
class ParsedDate:
    """A date in UTC; `has_zone` if the text contained a time zone."""

    at: datetime
    has_zone: bool = False


def _digits_pattern(piece: FormatPiece) -> str:
    letter, count = piece.letter, piece.count
    if letter == "F":
        return f"[0-9]{{0,{count}}}"
    if letter == "f" or (letter == "y" and count > 2):  # noqa: PLR2004 - the whole year
        return f"[0-9]{{{count}}}"
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
    keys = (f"{letter}{each}" for each in range(min(count, 3), 0, -1))
    fixed = next(filter(None, map(_FIXED_PATTERNS.get, keys)), None)
    return f"(?P<{letter}{index}>{word or fixed or _digits_pattern(piece)})"


@functools.lru_cache(maxsize=256)
def _compile_format(format_text: str) -> re.Pattern[str]:
    return re.compile("".join(_make_patterns(format_text)), re.IGNORECASE | re.ASCII)


def _parse_year(text: str) -> int:
    if len(text) > 2:  # noqa: PLR2004 - the century is given
        return int(text)
    whole = _TWO_DIGITS_UNTIL // 100 * 100 + int(text)
    return whole if whole <= _TWO_DIGITS_UNTIL else whole - 100


def _parse_month(text: str) -> int:
    """Return the number of a month; three letters are enough."""
    if text.isdecimal():
        return int(text)
    return [each[:3].lower() for each in MONTH_NAMES].index(text[:3].lower()) + 1


def _parse_utc_offset(zone: str) -> timedelta:
    """Return how far a zone, if it is not UTC, is ahead; raise ValueError if too far.

    Hours have one or two digits, and the minutes after them two.
    """
    digits = re.sub("[^0-9]", "", zone)
    if not digits:
        return timedelta()
    hours, minutes = divmod(int(digits) if len(digits) > 2 else int(digits) * 100, 100)  # noqa: PLR2004
    ahead = timedelta(hours=hours, minutes=minutes)
    if minutes >= 60 or ahead > _MAX_UTC_OFFSET:  # noqa: PLR2004 - of an hour
        raise ValueError(zone)
    return -ahead if zone.startswith("-") else ahead


_FIELD_PARSERS: dict[str, Callable[[str], Any]] = {
    "y": _parse_year,
    "M": _parse_month,
    "f": lambda digits: int(digits[:6].ljust(6, "0")),
    "t": lambda half: half[0].lower(),
    "z": _parse_utc_offset,
    "w": lambda name: name[:3].lower(),
}


def _parse_fields(found: re.Match[str]) -> dict[str, Any]:
    """Return the value of each letter of a format, with which its group begins.

    Raises ValueError if two values differ.
    """
    fields: dict[str, Any] = {}
    for group, written in found.groupdict().items():
        letter = _SAME_LETTERS.get(group[0], group[0])
        if letter == "d" and written and written.isalpha():
            letter = "w"
        if not written or letter == "g":
            continue
        value = _FIELD_PARSERS.get(letter, int)(written)
        if fields.setdefault(letter, value) != value:
            raise ValueError(written)
    return fields


def _compute_hour(fields: Mapping[str, Any]) -> int:
    if "h" not in fields:
        return int(fields.get("H", 0))
    hour = int(fields["h"])
    if not 1 <= hour <= 12:  # noqa: PLR2004 - the clock has twelve hours
        raise ValueError(hour)
    return hour % 12 + (12 if fields.get("t") == "p" else 0)


def _assemble_date(fields: Mapping[str, Any]) -> ParsedDate:
    """Return a date; raise ValueError or OverflowError if it does not exist."""
    local = datetime(
        *(fields.get("y", 1), fields.get("M", 1), fields.get("d", 1)),
        *(_compute_hour(fields), fields.get("m", 0), fields.get("s", 0)),
        fields.get("f", 0),
        tzinfo=UTC,
    )
    weekday = fields.get("w")
    if weekday and DAY_NAMES[local.weekday()][:3].lower() != weekday:
        raise ValueError(weekday)
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


@functools.lru_cache(maxsize=4096)
def _parse_date(source: str) -> datetime | None:
    matches = (each.fullmatch(source) for each in _FORMS)
    found = next((each for each in matches if each), None)
    if found is None:
        return None
    try:
        fields = _parse_fields(found)
        if "t" in fields:
            fields["h"] = fields["H"]
        return _assemble_date(fields).at
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
