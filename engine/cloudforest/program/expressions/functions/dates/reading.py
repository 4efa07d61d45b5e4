"""Dates read without a format, as DateTime.Parse does in the invariant culture."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime

from cloudforest.program.expressions.functions.dates.exact import (
    NOT_SO,
    month_of,
    offset,
    require_weekday,
    year_of,
)
from cloudforest.program.expressions.functions.dates.pattern import DAYS, MONTHS
from cloudforest.program.expressions.functions.values import Moment, Value, text
from cloudforest.program.faults import ValueFault

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
_READERS = tuple(
    re.compile(form, re.VERBOSE | re.IGNORECASE | re.ASCII)
    for form in (*(f"{each}{_TIME}{_ZONE}" for each in _DATES), _GENERALIZED)
)
_LONGEST = 100
_NOON = 12


def _hour(written: str | None, half: str | None) -> int:
    hour = int(written or 0)
    if half is None:
        return hour
    if not 1 <= hour <= _NOON:
        raise ValueError(hour)
    return hour % _NOON + (_NOON if half[0] in "pP" else 0)


def _assembled(found: re.Match[str]) -> datetime:
    local = datetime(
        *(year_of(found["year"]), month_of(found["month"]), int(found["day"])),
        *(_hour(found["hour"], found["half"]), int(found["minute"] or 0)),
        *(int(found["second"] or 0), int((found["part"] or "0")[:6].ljust(6, "0"))),
        tzinfo=UTC,
    )
    require_weekday(local, found.groupdict().get("weekday"))
    return local - offset(found["zone"] or "")


@functools.lru_cache(maxsize=4096)
def _read(source: str) -> datetime | None:
    matches = (each.fullmatch(source) for each in _READERS)
    found = next((each for each in matches if each), None)
    if found is None:
        return None
    try:
        return _assembled(found)
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
