"""Each operator with its value, compiled into a test of one value.

Moments, as texts of a filter or of a directory, in FILETIME's unit.

That is 100 ns since 1601, in UTC ([MS-DTYP] 2.3.3). A filter writes `2026-01-31`,
`2026-01-31T08:00Z` or `2026-01-31T08:00:00Z` (ISO 8601; without a zone: UTC), a
directory also generalized time (RFC 4517, 3.3.13), or a FILETIME.

Filter trees, compiled: what they say of an object.

Filters judged where some attributes may be hidden: true, false, or None for unknown.

Under an inherited deny a living person shows no employeeType, exactly as if it had been
cleared. What a filter says without it is then no proof, unless it would say the same
whatever the value is (Kleene's strong three-valued logic).

SCIM filters over directory attributes: from tree back to text.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

from cloudforest.model.program import (
    And,
    Compare,
    Filter,
    Not,
    Or,
    Present,
    Scalar,
    ValuePath,
)
from cloudforest.program.ad_schema import CASE_EXACT, without_case

_ZONE = r"[+-](?:[01]\d|2[0-3])"
_ISO8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    rf"([Zz]|{_ZONE}:[0-5]\d)?)?",
    re.ASCII,
)
_GENERALIZED = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,](\d{1,9}))?"
    rf"(Z|{_ZONE}[0-5]\d)",
    re.ASCII,
)
_FILETIME = re.compile(r"-?[0-9]{1,19}")
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNIT = timedelta(microseconds=1)
SECOND = 10_000_000
NEVER = 2**63 - 1
"""A FILETIME that is none, like 0: an account that does not expire holds either."""


def _offset(zone: str | None) -> int:
    if zone in {None, "Z", "z"}:
        return 0
    digits = str(zone).replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return (-minutes if digits[0] == "-" else minutes) * 60 * SECOND


def moment(text: str) -> int | None:
    """Return the moment that a date, or a date and time, says; None: it is no such."""
    found = _ISO8601.fullmatch(text) or _GENERALIZED.fullmatch(text)
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    try:
        whole = datetime(*(int(each or 0) for each in parts), tzinfo=UTC)  # type: ignore[misc,arg-type]  # six parts
    except ValueError:
        return None
    ticks = (whole - _EPOCH) // _UNIT * 10
    return ticks + int((fraction or "0").ljust(7, "0")[:7]) - _offset(zone)


def is_moment(value: object) -> bool:
    """Tell whether a value in a filter is compared as a moment."""
    return isinstance(value, str) and moment(value) is not None


def is_tick(value: object) -> bool:
    """Tell whether a value in a filter can be a FILETIME."""
    if isinstance(value, str):
        return is_filetime(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_filetime(text: str) -> bool:
    return _FILETIME.fullmatch(text) is not None


def filetime(text: str) -> int | None:
    """Return the moment; None for 0, for `NEVER` and for what is none."""
    ticks = int(text)
    return ticks if 0 < ticks < NEVER else None


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


Attributes = Mapping[str, tuple[str, ...]]
Predicate = Callable[[Attributes], bool]

VALUE = "value"
"""What one value is called within the brackets of a value path."""


def _presence(name: str) -> Predicate:
    return lambda attributes: bool(attributes.get(name))


def _comparison(tree: Compare, *, exact: bool) -> Predicate:
    name = tree.attribute.lower()
    if tree.value is None:
        return _negation(_presence(name))
    operator = "eq" if tree.operator == "ne" else tree.operator
    fold = str if exact or name in CASE_EXACT else without_case
    test = test_of(operator, tree.value, fold)
    return lambda attributes: any(map(test, attributes.get(name, ())))


def _negation(operand: Predicate) -> Predicate:
    return lambda attributes: not operand(attributes)


def _compare(tree: Compare, *, exact: bool) -> Predicate:
    found = _comparison(tree, exact=exact)
    return _negation(found) if tree.operator == "ne" else found


def _value_path(tree: ValuePath) -> Predicate:
    name = tree.attribute.lower()
    accepts = compile_filter(tree.operand, exact=name in CASE_EXACT)
    return lambda attributes: any(
        accepts({VALUE: (each,)}) for each in attributes.get(name, ())
    )


def _conjunction(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: all(each(attributes) for each in operands)


def _disjunction(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: any(each(attributes) for each in operands)


def _all(trees: tuple[Filter, ...], *, exact: bool) -> tuple[Predicate, ...]:
    return tuple(compile_filter(each, exact=exact) for each in trees)


def compile_filter(tree: Filter, *, exact: bool = False) -> Predicate:
    """Compile a filter into a test of an object's attributes, named in lower case.

    Texts compare without case, unless the attribute's syntax tells cases apart, or all
    are to be `exact`. Any value of several is enough; a comparison with a missing
    attribute is false, `ne` is `not eq`, and `eq null` is `not pr`. `has` holds where
    all bits of a number are set. See `comparing` for numbers and moments.
    """
    match tree:
        case Compare():
            return _compare(tree, exact=exact)
        case Present(attribute=name):
            return _presence(name.lower())
        case ValuePath():
            return _value_path(tree)
        case And(operands=operands):
            return _conjunction(_all(operands, exact=exact))
        case Or(operands=operands):
            return _disjunction(_all(operands, exact=exact))
        case Not(operand=operand):
            return _negation(compile_filter(operand, exact=exact))


Certainty = Callable[[Attributes, AbstractSet[str]], bool | None]
"""Takes the attributes, and the names (in lower case) of those that may be hidden."""


def _leaf(tree: Compare | Present | ValuePath) -> Certainty:
    name, holds = tree.attribute.lower(), compile_filter(tree)
    return lambda attributes, hidden: None if name in hidden else holds(attributes)


def _certain_negation(operand: Certainty) -> Certainty:
    def judge(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        said = operand(attributes, hidden)
        return None if said is None else not said

    return judge


def _joined(operands: tuple[Certainty, ...], *, decisive: bool) -> Certainty:
    """One operand that is `decisive` decides, whatever the others are."""

    def judge(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        said = {each(attributes, hidden) for each in operands}
        if decisive in said:
            return decisive
        return None if None in said else not decisive

    return judge


def compile_certainty(tree: Filter) -> Certainty:
    """Compile a filter into what it says for sure; with nothing hidden, as ever."""
    match tree:
        case Compare() | Present() | ValuePath():
            return _leaf(tree)
        case And(operands=operands):
            parts = tuple(map(compile_certainty, operands))
            return _joined(parts, decisive=False)
        case Or(operands=operands):
            return _joined(tuple(map(compile_certainty, operands)), decisive=True)
        case Not(operand=operand):
            return _certain_negation(compile_certainty(operand))


def _literal(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)


def _nested(tree: Filter) -> str:
    text = filter_text(tree)
    return f"({text})" if isinstance(tree, And | Or) else text


def filter_text(tree: Filter) -> str:
    """Return text that `parse_filter` reads as the same tree."""
    match tree:
        case Compare(attribute=name, operator=operator, value=value):
            return f"{name} {operator} {_literal(value)}"
        case Present(attribute=name):
            return f"{name} pr"
        case ValuePath(attribute=name, operand=operand):
            return f"{name}[{filter_text(operand)}]"
        case And(operands=operands):
            return " and ".join(map(_nested, operands))
        case Or(operands=operands):
            return " or ".join(map(_nested, operands))
        case Not(operand=operand):
            return f"not ({filter_text(operand)})"
