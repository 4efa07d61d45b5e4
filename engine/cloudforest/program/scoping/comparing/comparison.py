"""Each operator with its value, compiled into a test of one value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from cloudforest.model.program import Scalar
from cloudforest.program.scoping.comparing.moments import filetime, is_filetime, moment

Test = Callable[[str], bool]
Fold = Callable[[str], str]
Relation = Callable[..., bool]

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_WHOLE = re.compile(r"-?[0-9]{1,40}")
_RELATIONS: dict[str, Relation] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_PARTS: dict[str, Callable[[str, str], bool]] = {
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}


def _number(text: str) -> int | float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def _text(value: Scalar) -> str:
    """Booleans in a directory are the texts TRUE and FALSE."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def _by_text(relation: Relation, value: Scalar, fold: Fold) -> Test:
    wanted = fold(_text(value))
    return lambda text: relation(fold(text), wanted)


def _by_number(relation: Relation, wanted: float, otherwise: Test) -> Test:
    def test(text: str) -> bool:
        number = _number(text)
        return otherwise(text) if number is None else relation(number, wanted)

    return test


def _never(text: str) -> bool:  # noqa: ARG001 - a Test
    return False


def _by_time(relation: Relation, wanted: int) -> Test:
    def test(text: str) -> bool:
        ticks = filetime(text) if is_filetime(text) else moment(text)
        return ticks is not None and relation(ticks, wanted)

    return test


def _by_bits(wanted: int) -> Test:
    return lambda text: bool(_WHOLE.fullmatch(text)) and int(text) & wanted == wanted


def test_of(name: str, value: Scalar, fold: Fold) -> Test:
    """Compile a comparison with one value; `fold` takes away the case, if it may.

    With a number only numbers compare, with a moment only moments: no other value is
    equal, greater or less. A text compares as a text, and a number in quotes with a
    number as a number, but equals a text only.
    """
    if name == "has" and isinstance(value, int):
        return _by_bits(value)
    relation = _RELATIONS.get(name) or _PARTS[name]
    as_text = _by_text(relation, value, fold)
    if name in _PARTS:
        return as_text
    if isinstance(value, str) and (wanted := moment(value)) is not None:
        return _by_time(relation, wanted)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _by_number(relation, value, _never)
    number = _number(value) if isinstance(value, str) and name != "eq" else None
    return as_text if number is None else _by_number(relation, number, as_text)
