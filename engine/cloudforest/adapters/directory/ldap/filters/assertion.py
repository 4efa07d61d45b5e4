"""One comparison, as a controller is asked about it.

`None` says that it can't be: that is left to the agent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloudforest.adapters.directory.ldap.filters.lookups import escape
from cloudforest.adapters.directory.ldap.filters.schema import Syntax
from cloudforest.model.program import Compare, Scalar
from cloudforest.program.scoping.comparing.moments import NEVER, SECOND, moment

BIT_AND = "1.2.840.113556.1.4.803"
"""LDAP_MATCHING_RULE_BIT_AND ([MS-ADTS] 3.1.1.3.4.4.1)."""

# Space is not significant at the ends and where it is repeated (RFC 4518, 2.6.1), and
# not all servers know the same letters beyond these.
_LETTERS = r"[!-~\u00c0-\u00d6\u00d8-\u00de\u00e0-\u00f6\u00f8-\u00fe\u0410-\u044f]+"
_PLAIN = re.compile(f"{_LETTERS}(?: {_LETTERS})*")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_PARTS = {"eq": "{}", "co": "*{}*", "sw": "{}*", "ew": "*{}"}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


def _text(name: str, tree: Compare) -> str | None:
    value = tree.value
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        return None
    if tree.operator == "eq" and moment(value) is not None:
        return None  # One moment has many texts.
    part = _PARTS.get(tree.operator)
    return part and f"({name}={part.format(escape(value.encode()))})"


def _number(tree: Compare) -> int | float | None:
    value: Scalar = tree.value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and not isinstance(value, str) else None


def _bounds(operator: str, value: float) -> tuple[float, float] | None:
    """Return the least and the greatest whole number for which it holds."""
    match operator:
        case "eq" if value == math.floor(value):
            return value, value
        case "gt":
            return math.floor(value) + 1, math.inf
        case "ge":
            return math.ceil(value), math.inf
        case "lt":
            return -math.inf, math.ceil(value) - 1
        case "le":
            return -math.inf, math.floor(value)
        case _:
            return None


def _between(
    name: str, bounds: tuple[float, float], write: Callable[[int], str]
) -> str:
    least, greatest = bounds
    if least == greatest:
        return f"({name}={write(int(least))})"
    parts = []
    if least > -math.inf:
        parts.append(f"({name}>={write(int(least))})")
    if greatest < math.inf:
        parts.append(f"({name}<={write(int(greatest))})")
    return parts[0] if len(parts) == 1 else f"(&{''.join(parts)})"


def _integer(name: str, tree: Compare, largest: int) -> str | None:
    value = _number(tree)
    if value is None or abs(value) > largest:
        return None
    if tree.operator == "has":
        return f"({name}:{BIT_AND}:={value})"
    bounds = _bounds(tree.operator, value)
    if bounds is None or any(largest < abs(each) < math.inf for each in bounds):
        return None
    return _between(name, bounds, str)


def _filetime(name: str, tree: Compare) -> str | None:
    ticks = moment(tree.value) if isinstance(tree.value, str) else None
    if ticks is None:
        return _integer(name, tree, NEVER)
    bounds = _bounds(tree.operator, ticks)
    if bounds is None or not 0 < ticks < NEVER - 1:
        return None
    return _between(name, (max(bounds[0], 1), min(bounds[1], NEVER - 1)), str)


def _generalized(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y%m%d%H%M%S.0Z}"


def _time(name: str, tree: Compare) -> str | None:
    """Return a test of a generalized time, which Active Directory keeps in seconds."""
    ticks = moment(tree.value) if isinstance(tree.value, str) else None
    if ticks is None or not 0 < ticks // SECOND < _LAST:
        return None
    whole, rest = divmod(ticks, SECOND)
    # Any fraction: what lies between two seconds compares alike.
    bounds = _bounds(tree.operator, whole + 0.5 if rest else whole)
    return bounds and _between(name, bounds, _generalized)


def _boolean(name: str, tree: Compare) -> str | None:
    word = str(tree.value).upper()
    is_one = tree.operator == "eq" and word in {"TRUE", "FALSE"}
    return f"({name}={word})" if is_one else None


def assertion(tree: Compare, syntax: Syntax) -> str | None:
    """Return an LDAP filter that says the same of an attribute of that syntax.

    Of a text it says at least as much: a controller takes more texts to be equal.
    """
    name = tree.attribute
    match syntax:
        case "text":
            return _text(name, tree)
        case "integer":
            return _integer(name, tree, 2**31 - 1)
        case "filetime":
            return _filetime(name, tree)
        case "time":
            return _time(name, tree)
        case "boolean":
            return _boolean(name, tree)
