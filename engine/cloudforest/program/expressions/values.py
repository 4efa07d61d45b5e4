"""The values of expressions, and their conversions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cloudforest.program.faults import ValueFault

MAX_TEXT_LENGTH = 1_048_576
"""The most characters that a function may return for one object."""
TRUE = "True"
FALSE = "False"
_BOOLEAN_TEXTS = (TRUE, FALSE)
MAX_DIGITS = 30
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,30}(\.[0-9]{1,30})?\s*")
_HEX = re.compile(r"\s*&[Hh][0-9A-Fa-f]{1,16}\s*", re.ASCII)


@dataclass(frozen=True)
class Moment:
    """A date and time in UTC, passed between functions.

    Its text is `M/d/yyyy h:mm:ss tt`, or `yyyy-MM-dd HH:mm:ss` if `sortable`.
    Microsoft's documentation shows both, depending on the function.
    """

    at: datetime
    sortable: bool = False

    def __str__(self) -> str:
        at = self.at
        if self.sortable:
            return f"{at.year:04}-{at:%m-%d %H:%M:%S}"
        hour = at.hour % 12 or 12
        half = "AM" if at.hour < 12 else "PM"  # noqa: PLR2004 - noon
        return f"{at.month}/{at.day}/{at.year:04} {hour}:{at:%M:%S} {half}"


Item = str | int | float | bool | Moment
Value = Item | tuple[Item, ...] | None


def as_boolean(value: bool) -> str:  # noqa: FBT001 - a conversion of its one argument
    """Return `True` or `False` as a text, as this language does."""
    return TRUE if value else FALSE


def as_text(value: Value) -> str:
    """Return the text of a value: null is empty, several values are a fault."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, tuple):
        if len(value) == 1:
            return as_text(value[0])
        raise ValueFault("The object has several values, but only one is allowed here.")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def as_number_or_none(value: Value) -> int | float | None:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    if value.isdecimal() and value.isascii() and len(value) <= MAX_DIGITS:
        return int(value)
    if _NUMBER.fullmatch(value) is None:
        return None
    return float(value) if "." in value else int(value)


def as_quoted_number_or_none(value: Value) -> int | float | None:
    """Read a number; here, a text such as `&HFF` is hexadecimal."""
    if isinstance(value, str) and _HEX.fullmatch(value):
        return int(value.upper().replace("&H", "0x"), 16)
    return as_number_or_none(value)


def as_integer(value: Value) -> int:
    if isinstance(value, int):
        return int(value)
    number = as_quoted_number_or_none(value)
    if number is None or number != int(number):
        raise ValueFault("The value is not a whole number.")
    return int(number)


def is_empty(value: Value) -> bool:
    return value is None or value in ("", ())


def is_true(value: Value) -> bool:
    """Tell whether a condition holds: `True` in any case, or a number other than 0."""
    if value in _BOOLEAN_TEXTS:
        return value == TRUE
    if isinstance(value, str) and value.strip().lower() == "true":
        return True
    return bool(as_number_or_none(value))


def as_items(value: Value) -> tuple[Item, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def require_length(length: int) -> None:
    """Raise ValueFault if a text would be too long."""
    if length > MAX_TEXT_LENGTH:
        raise ValueFault(
            f"The expression returns more than {MAX_TEXT_LENGTH} characters for this"
            " object."
        )


def collect_texts(parts: Iterable[str]) -> tuple[str, ...]:
    """Collect texts; raise ValueFault if together they are too long."""
    made, total = [], 0
    for each in parts:
        total += len(each)
        require_length(total)
        made.append(each)
    return tuple(made)
