"""Functions that count with dates, as Visual Basic does.

Functions on dates.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloudforest.model.program import Literally
from cloudforest.program.expressions.date_formatting import pieces, write_date
from cloudforest.program.expressions.date_parsing import moment, read_exact
from cloudforest.program.expressions.function import (
    Arguments,
    Function,
    Parameter,
    Wrong,
    eager,
)
from cloudforest.program.expressions.values import (
    Moment,
    Value,
    integer,
    is_empty,
    text,
)
from cloudforest.program.faults import ValueFault

INTERVALS = ("yyyy", "m", "d", "ww", "h", "n", "s")
_SECONDS = {"d": 86400, "h": 3600, "n": 60, "s": 1}
_TICKS = 10_000_000
"""A FILETIME counts tenths of a microsecond ([MS-DTYP] 2.3.3)."""
_FIRST = datetime(1601, 1, 1, tzinfo=UTC)
_NEVER = frozenset({0, 2**63 - 1})
"""What the directory writes for no moment at all ([MS-ADA1] accountExpires)."""
_TOO_FAR = "The date is before the year 1 or after the year 9999."
STYLES = (
    *("None", "AllowLeadingWhite", "AllowTrailingWhite", "AllowInnerWhite"),
    *("AllowWhiteSpaces", "NoCurrentDateDefault", "AdjustToUniversal"),
    *("AssumeLocal", "AssumeUniversal", "RoundtripKind"),
)
"""The names in .NET's DateTimeStyles."""


def to_date(value: Value) -> Value:
    return None if is_empty(value) else Moment(moment(value).at)


def _interval(value: Value) -> str:
    interval = text(value)
    if interval not in INTERVALS:
        raise ValueFault(f"An interval is one of {', '.join(INTERVALS)}.")
    return interval


def _months_later(at: datetime, months: int) -> datetime:
    """Keep the day, or take the last one of a month that is shorter."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - the calendar's last year
        raise ValueFault(_TOO_FAR)
    last = calendar.monthrange(year, month + 1)[1]
    return at.replace(year=year, month=month + 1, day=min(at.day, last))


def add(interval: Value, value: Value, date: Value) -> Value:
    unit = _interval(interval)
    if is_empty(date) or is_empty(value):
        return None
    at, count = moment(date).at, integer(value)
    if unit in {"yyyy", "m"}:
        return Moment(_months_later(at, count * (12 if unit == "yyyy" else 1)))
    seconds = 7 * 86400 if unit == "ww" else _SECONDS[unit]
    try:
        return Moment(at + timedelta(seconds=count * seconds))
    except OverflowError as error:
        raise ValueFault(_TOO_FAR) from error


def _week(at: datetime) -> int:
    """Return the number of a week, which begins on Sunday."""
    return at.date().toordinal() // 7


_COUNTED: dict[str, Callable[[datetime], int]] = {
    "yyyy": lambda at: at.year,
    "m": lambda at: at.year * 12 + at.month,
    "ww": _week,
}


def difference(interval: Value, first: Value, second: Value) -> Value:
    """Count from the first to the second date.

    Years, months and weeks count where the calendar turns; the others are whole units
    of the time between.
    """
    unit = _interval(interval)
    if is_empty(first) or is_empty(second):
        return None
    start, end = moment(first).at, moment(second).at
    if unit in _COUNTED:
        count = _COUNTED[unit]
        return count(end) - count(start)
    microseconds = (end - start) // timedelta(microseconds=1)
    whole = abs(microseconds) // (_SECONDS[unit] * 1_000_000)
    return whole if microseconds >= 0 else -whole


def from_number(value: Value) -> Value:
    """Read a FILETIME; the directory's two ways to say never are null."""
    if is_empty(value) or (ticks := integer(value)) in _NEVER:
        return None
    try:
        at = _FIRST + timedelta(microseconds=ticks // 10)
    except OverflowError as error:
        raise ValueFault(_TOO_FAR) from error
    return Moment(at, sortable=True)


def to_number(value: Value) -> Value:
    if is_empty(value):
        return None
    elapsed = moment(value).at - _FIRST
    return elapsed // timedelta(microseconds=1) * (_TICKS // 1_000_000)


def _styles(value: Value) -> frozenset[str]:
    named = frozenset(each.strip() for each in text(value).split(",") if each.strip())
    if not named <= set(STYLES):
        raise ValueFault(f"Styles are some of {', '.join(sorted(STYLES))}.")
    return named or frozenset({"AllowLeadingWhite", "AllowTrailingWhite"})


def _trimmed(source: str, styles: frozenset[str]) -> str:
    if styles & {"AllowLeadingWhite", "AllowWhiteSpaces"}:
        source = source.lstrip()
    if styles & {"AllowTrailingWhite", "AllowWhiteSpaces"}:
        source = source.rstrip()
    return source


def formats_are_wrong(arguments: Arguments) -> Wrong | None:
    """Check constant styles and formats."""
    for position, check in ((1, _styles), (2, pieces), (3, pieces)):
        each = arguments[position]
        if not isinstance(each, Literally):
            continue
        try:
            check(text(each.value))
        except ValueFault as fault:
            return Wrong(fault.reason, position)
    return None


def reformat(source: Value, styles: Value, read: Value, written: Value) -> Value:
    """Read in one format and write in another."""
    named = _styles(styles)
    if is_empty(source):
        return None
    if isinstance(source, Moment):
        return write_date(source.at, text(written), zoned=True)
    found = read_exact(_trimmed(text(source), named), text(read))
    zoned = found.zoned or bool(named & {"AssumeUniversal", "AdjustToUniversal"})
    return write_date(found.at, text(written), zoned=zoned)


_INTERVAL = Parameter("interval", "text", choice=INTERVALS)

TIMING = (
    Function(
        "CDate",
        (Parameter("expression", "date"),),
        "date",
        "Read a date; without a zone it is in UTC.",
        eager(to_date),
    ),
    Function(
        "DateAdd",
        (_INTERVAL, Parameter("value", "number"), Parameter("dateTime", "date")),
        "date",
        "Add years, months, weeks, days, hours, minutes or seconds.",
        eager(add),
    ),
    Function(
        "DateDiff",
        (_INTERVAL, Parameter("date1", "date"), Parameter("date2", "date")),
        "number",
        "Count from the first date to the second.",
        eager(difference),
    ),
    Function(
        "DateFromNum",
        (Parameter("value", "number"),),
        "date",
        "Read the directory's number of a moment (FILETIME).",
        eager(from_number),
    ),
    Function(
        "FormatDateTime",
        (
            Parameter("source", "date"),
            Parameter("dateTimeStyles", "text", optional=True, omitted=True),
            Parameter("inputFormat", "text"),
            Parameter("outputFormat", "text"),
        ),
        "text",
        "Read a date in one .NET format, and write it in another.",
        eager(reformat),
        check=formats_are_wrong,
    ),
    Function(
        "Now",
        (),
        "date",
        "Take the moment at which the cycle began to evaluate.",
        None,
        impure=True,
    ),
    Function(
        "NumFromDate",
        (Parameter("value", "date"),),
        "number",
        "Write a moment as the directory's number (FILETIME).",
        eager(to_number),
    ),
)
