"""Functions on dates, with the arithmetic of Visual Basic."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import datetime, timedelta

from cloudforest.model.program import Constant
from cloudforest.program.ad_schema import FILETIME_EPOCH
from cloudforest.program.expressions.date_formatting import format_date, split_format
from cloudforest.program.expressions.date_parsing import as_moment, parse_exact_date
from cloudforest.program.expressions.function import (
    Arguments,
    CallFault,
    Evaluate,
    EvaluationContext,
    FunctionTable,
    Operands,
    Parameter,
    build_fault,
)
from cloudforest.program.expressions.values import (
    Moment,
    Value,
    as_integer,
    as_text,
    is_empty,
)
from cloudforest.program.faults import ValueFault

INTERVALS = ("yyyy", "m", "d", "ww", "h", "n", "s")
_SECONDS = {"d": 86400, "h": 3600, "n": 60, "s": 1}
_TICKS_PER_MICROSECOND = 10
_NEVER_TICKS = frozenset({0, 2**63 - 1})
"""FILETIMEs that mean "never" ([MS-ADA1] accountExpires)."""
_TOO_FAR = "The date is before the year 1 or after the year 9999."
DATE_TIME_STYLES = (
    *("None", "AllowLeadingWhite", "AllowTrailingWhite", "AllowInnerWhite"),
    *("AllowWhiteSpaces", "NoCurrentDateDefault", "AdjustToUniversal"),
    *("AssumeLocal", "AssumeUniversal", "RoundtripKind"),
)
"""The names of .NET's DateTimeStyles."""
_INTERVAL = Parameter("interval", "text", choice=INTERVALS)
TABLE = FunctionTable()


@TABLE.built("Now", gives="date", contextual=True, impure=True)
def now(_operands: Operands, context: EvaluationContext) -> Evaluate:
    """Return the time when the cycle started to evaluate."""
    if context.now is None:
        return build_fault("Now() has no time to return. Set `now:` in the Example.")
    moment = Moment(context.now)
    return lambda _attributes: moment


@TABLE.eager("CDate", Parameter("expression", "date"), gives="date")
def to_date(value: Value) -> Value:
    """Convert a text to a date; without a time zone, it is in UTC."""
    return None if is_empty(value) else Moment(as_moment(value).at)


def _parse_interval(value: Value) -> str:
    interval = as_text(value)
    if interval not in INTERVALS:
        raise ValueFault(f"Unknown interval. Choose one of: {', '.join(INTERVALS)}.")
    return interval


def _add_months(at: datetime, months: int) -> datetime:
    """Add months; in a shorter month, the day becomes the last one."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - the calendar's last year
        raise ValueFault(_TOO_FAR)
    last = calendar.monthrange(year, month + 1)[1]
    return at.replace(year=year, month=month + 1, day=min(at.day, last))


@TABLE.eager(
    "DateAdd",
    _INTERVAL,
    Parameter("value", "number"),
    Parameter("dateTime", "date"),
    gives="date",
)
def add_to_date(interval: Value, value: Value, date: Value) -> Value:
    """Add years, months, weeks, days, hours, minutes or seconds to a date."""
    unit = _parse_interval(interval)
    if is_empty(date) or is_empty(value):
        return None
    at, count = as_moment(date).at, as_integer(value)
    if unit in {"yyyy", "m"}:
        return Moment(_add_months(at, count * (12 if unit == "yyyy" else 1)))
    seconds = 7 * 86400 if unit == "ww" else _SECONDS[unit]
    try:
        return Moment(at + timedelta(seconds=count * seconds))
    except OverflowError as error:
        raise ValueFault(_TOO_FAR) from error


_CALENDAR_COUNTS: dict[str, Callable[[datetime], int]] = {
    "yyyy": lambda at: at.year,
    "m": lambda at: at.year * 12 + at.month,
    "ww": lambda at: at.toordinal() // 7,  # a week starts on Sunday
}


@TABLE.eager(
    "DateDiff",
    _INTERVAL,
    Parameter("date1", "date"),
    Parameter("date2", "date"),
    gives="number",
)
def count_between_dates(interval: Value, first: Value, second: Value) -> Value:
    """Count the intervals between two dates.

    Years, months and weeks count calendar changes; the others count whole units of
    time.
    """
    unit = _parse_interval(interval)
    if is_empty(first) or is_empty(second):
        return None
    start, end = as_moment(first).at, as_moment(second).at
    if unit in _CALENDAR_COUNTS:
        count = _CALENDAR_COUNTS[unit]
        return count(end) - count(start)
    microseconds = (end - start) // timedelta(microseconds=1)
    whole = abs(microseconds) // (_SECONDS[unit] * 1_000_000)
    return whole if microseconds >= 0 else -whole


@TABLE.eager("DateFromNum", Parameter("value", "number"), gives="date")
def date_from_number(value: Value) -> Value:
    """Convert a FILETIME, as in pwdLastSet, to a date.

    The two values for "never" are null.
    """
    if is_empty(value) or (ticks := as_integer(value)) in _NEVER_TICKS:
        return None
    try:
        at = FILETIME_EPOCH + timedelta(microseconds=ticks // _TICKS_PER_MICROSECOND)
    except OverflowError as error:
        raise ValueFault(_TOO_FAR) from error
    return Moment(at, sortable=True)


@TABLE.eager("NumFromDate", Parameter("value", "date"), gives="number")
def number_from_date(value: Value) -> Value:
    """Convert a date to a FILETIME."""
    if is_empty(value):
        return None
    elapsed = as_moment(value).at - FILETIME_EPOCH
    return elapsed // timedelta(microseconds=1) * _TICKS_PER_MICROSECOND


def _parse_styles(value: Value) -> frozenset[str]:
    named = frozenset(map(str.strip, as_text(value).split(","))) - {""}
    if not named <= set(DATE_TIME_STYLES):
        known = ", ".join(sorted(DATE_TIME_STYLES))
        raise ValueFault(f"Unknown style. Choose from: {known}.")
    return named or frozenset({"AllowLeadingWhite", "AllowTrailingWhite"})


def _trim(source: str, styles: frozenset[str]) -> str:
    if styles & {"AllowLeadingWhite", "AllowWhiteSpaces"}:
        source = source.lstrip()
    if styles & {"AllowTrailingWhite", "AllowWhiteSpaces"}:
        source = source.rstrip()
    return source


def check_formats(arguments: Arguments) -> CallFault | None:
    """Check constant styles and formats."""
    for position, check in ((1, _parse_styles), (2, split_format), (3, split_format)):
        each = arguments[position]
        if not isinstance(each, Constant):
            continue
        try:
            check(as_text(each.value))
        except ValueFault as fault:
            return CallFault(fault.reason, position)
    return None


@TABLE.eager(
    "FormatDateTime",
    Parameter("source", "date"),
    Parameter("dateTimeStyles", "text", optional=True, omitted=True),
    Parameter("inputFormat", "text"),
    Parameter("outputFormat", "text"),
    gives="text",
    check=check_formats,
)
def reformat_date(
    source: Value, styles: Value, input_format: Value, output_format: Value
) -> Value:
    """Convert a date from one .NET format to another."""
    named = _parse_styles(styles)
    if is_empty(source):
        return None
    if isinstance(source, Moment):
        return format_date(source.at, as_text(output_format), has_zone=True)
    found = parse_exact_date(_trim(as_text(source), named), as_text(input_format))
    zoned = found.has_zone or bool(named & {"AssumeUniversal", "AdjustToUniversal"})
    return format_date(found.at, as_text(output_format), has_zone=zoned)
