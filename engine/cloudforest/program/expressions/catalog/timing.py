"""Functions on dates."""

from __future__ import annotations

from cloudforest.program.expressions.functions.dates import arithmetic
from cloudforest.program.expressions.functions.shape import Function, Parameter, eager

_INTERVAL = Parameter("interval", "text", choice=arithmetic.INTERVALS)

TIMING = (
    Function(
        "CDate",
        (Parameter("expression", "date"),),
        "date",
        "Read a date; without a zone it is in UTC.",
        eager(arithmetic.to_date),
    ),
    Function(
        "DateAdd",
        (_INTERVAL, Parameter("value", "number"), Parameter("dateTime", "date")),
        "date",
        "Add years, months, weeks, days, hours, minutes or seconds.",
        eager(arithmetic.add),
    ),
    Function(
        "DateDiff",
        (_INTERVAL, Parameter("date1", "date"), Parameter("date2", "date")),
        "number",
        "Count from the first date to the second.",
        eager(arithmetic.difference),
    ),
    Function(
        "DateFromNum",
        (Parameter("value", "number"),),
        "date",
        "Read the directory's number of a moment (FILETIME).",
        eager(arithmetic.from_number),
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
        eager(arithmetic.reformat),
        check=arithmetic.formats_are_wrong,
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
        eager(arithmetic.to_number),
    ),
)
