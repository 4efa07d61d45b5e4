"""Filter trees, compiled into tests of an object, and written back as text.

A date in a filter is `2026-01-31`, `2026-01-31T08:00Z` or `2026-01-31T08:00:00Z` (ISO
8601; UTC without a zone). In a directory, it is also generalized time (RFC 4517,
3.3.13) or a FILETIME, whose unit we compare in.

A filter may also be evaluated to true, false or unknown where attributes may be hidden.
An inherited deny hides a person's employeeType, exactly as if it were cleared. The
result without it proves nothing, unless it is the same for every value (Kleene's strong
three-valued logic).
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
from cloudforest.program.ad_schema import (
    CASE_EXACT_ATTRIBUTES,
    FILETIME_EPOCH,
    lower_case,
)

Attributes = Mapping[str, tuple[str, ...]]
Predicate = Callable[[Attributes], bool]
ThreeValuedTest = Callable[[Attributes, AbstractSet[str]], bool | None]
"""Takes the attributes, and the names (in lower case) of those that may be hidden."""
ValueTest = Callable[[str], bool]
Fold = Callable[[str], str]
Relation = Callable[..., bool]

VALUE_NAME = "value"
"""The name of the single value inside the brackets of a value path."""

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_WHOLE = re.compile(r"-?[0-9]{1,40}")
_RELATIONS: dict[str, Relation] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_PART_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}
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
_UNIT = timedelta(microseconds=1)
TICKS_PER_SECOND = 10_000_000
NEVER_TICKS = 2**63 - 1
"""A FILETIME that means "never", like 0: accountExpires contains either."""


def _offset_ticks(zone: str | None) -> int:
    if zone in {None, "Z", "z"}:
        return 0
    digits = str(zone).replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return (-minutes if digits[0] == "-" else minutes) * 60 * TICKS_PER_SECOND


def parse_ticks(text: str) -> int | None:
    """Return a date, with or without time, in FILETIME's unit, or None."""
    found = _ISO8601.fullmatch(text) or _GENERALIZED.fullmatch(text)
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    try:
        whole = datetime(*(int(each or 0) for each in parts), tzinfo=UTC)  # type: ignore[misc,arg-type]  # six parts
    except ValueError:
        return None
    ticks = (whole - FILETIME_EPOCH) // _UNIT * 10
    return ticks + int((fraction or "0").ljust(7, "0")[:7]) - _offset_ticks(zone)


def is_moment(value: object) -> bool:
    """Tell whether a value in a filter compares as a date."""
    return isinstance(value, str) and parse_ticks(value) is not None


def is_filetime_value(value: object) -> bool:
    """Tell whether a value in a filter can be a FILETIME."""
    if isinstance(value, str):
        return is_filetime(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_filetime(text: str) -> bool:
    return _FILETIME.fullmatch(text) is not None


def parse_filetime(text: str) -> int | None:
    """Return the ticks of a FILETIME; None if it means "never" or is out of range."""
    ticks = int(text)
    return ticks if 0 < ticks < NEVER_TICKS else None


def _parse_number(text: str) -> int | float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def _to_directory_text(value: Scalar) -> str:
    """Write a value as a directory does: booleans are TRUE and FALSE."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def _compile_text_test(relation: Relation, value: Scalar, fold: Fold) -> ValueTest:
    operand = fold(_to_directory_text(value))
    return lambda text: relation(fold(text), operand)


def _compile_number_test(
    relation: Relation, operand: float, otherwise: ValueTest
) -> ValueTest:
    def test(text: str) -> bool:
        number = _parse_number(text)
        return otherwise(text) if number is None else relation(number, operand)

    return test


def _never(text: str) -> bool:  # noqa: ARG001 - a ValueTest
    return False


def _compile_time_test(relation: Relation, operand: int) -> ValueTest:
    def test(text: str) -> bool:
        ticks = parse_filetime(text) if is_filetime(text) else parse_ticks(text)
        return ticks is not None and relation(ticks, operand)

    return test


def _compile_bits_test(bits: int) -> ValueTest:
    return lambda text: bool(_WHOLE.fullmatch(text)) and int(text) & bits == bits


def compile_test(name: str, value: Scalar, fold: Fold) -> ValueTest:
    """Compile a comparison into a test of one value; `fold` removes the case, or not.

    A number compares with numbers only, and a date with dates only: no other value is
    equal, greater or less. A number in quotes is ordered among numbers by its value,
    but equals a text only.
    """
    if name == "has" and isinstance(value, int):
        return _compile_bits_test(value)
    relation = _RELATIONS.get(name) or _PART_OPERATORS[name]
    as_text = _compile_text_test(relation, value, fold)
    if name in _PART_OPERATORS:
        return as_text
    if isinstance(value, str) and (ticks := parse_ticks(value)) is not None:
        return _compile_time_test(relation, ticks)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _compile_number_test(relation, value, _never)
    number = _parse_number(value) if isinstance(value, str) and name != "eq" else None
    return (
        as_text if number is None else _compile_number_test(relation, number, as_text)
    )


def _compile_presence(name: str) -> Predicate:
    return lambda attributes: bool(attributes.get(name))


def _compile_positive_comparison(tree: Compare, *, exact: bool) -> Predicate:
    name = tree.attribute.lower()
    if tree.value is None:
        return _negate_predicate(_compile_presence(name))
    operator = "eq" if tree.operator == "ne" else tree.operator
    fold = str if exact or name in CASE_EXACT_ATTRIBUTES else lower_case
    test = compile_test(operator, tree.value, fold)
    return lambda attributes: any(map(test, attributes.get(name, ())))


def _negate_predicate(operand: Predicate) -> Predicate:
    return lambda attributes: not operand(attributes)


def _compile_comparison(tree: Compare, *, exact: bool) -> Predicate:
    found = _compile_positive_comparison(tree, exact=exact)
    return _negate_predicate(found) if tree.operator == "ne" else found


def _compile_value_path(tree: ValuePath) -> Predicate:
    name = tree.attribute.lower()
    accepts = compile_filter(tree.operand, exact=name in CASE_EXACT_ATTRIBUTES)
    return lambda attributes: any(
        accepts({VALUE_NAME: (each,)}) for each in attributes.get(name, ())
    )


def _join_all(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: all(each(attributes) for each in operands)


def _join_any(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: any(each(attributes) for each in operands)


def _compile_all(trees: tuple[Filter, ...], *, exact: bool) -> tuple[Predicate, ...]:
    return tuple(compile_filter(each, exact=exact) for each in trees)


def compile_filter(tree: Filter, *, exact: bool = False) -> Predicate:
    """Compile a filter into a test of an object's attributes, named in lower case.

    Texts compare without case, except with `exact` and for attributes whose syntax is
    case-exact. One matching value is enough. A comparison with a missing attribute is
    false, `ne` is `not eq`, and `eq null` is `not pr`. `has` is true if all the bits
    are set. For numbers and dates see `compile_test`.
    """
    match tree:
        case Compare():
            return _compile_comparison(tree, exact=exact)
        case Present(attribute=name):
            return _compile_presence(name.lower())
        case ValuePath():
            return _compile_value_path(tree)
        case And(operands=operands):
            return _join_all(_compile_all(operands, exact=exact))
        case Or(operands=operands):
            return _join_any(_compile_all(operands, exact=exact))
        case Not(operand=operand):
            return _negate_predicate(compile_filter(operand, exact=exact))


def _compile_three_valued_comparison(
    tree: Compare | Present | ValuePath,
) -> ThreeValuedTest:
    name, holds = tree.attribute.lower(), compile_filter(tree)
    return lambda attributes, hidden: None if name in hidden else holds(attributes)


def _negate(operand: ThreeValuedTest) -> ThreeValuedTest:
    def test(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        holds = operand(attributes, hidden)
        return None if holds is None else not holds

    return test


def _join(operands: tuple[ThreeValuedTest, ...], *, decisive: bool) -> ThreeValuedTest:
    """Join operands; one with the `decisive` result decides, whatever the others."""

    def test(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        results = {each(attributes, hidden) for each in operands}
        if decisive in results:
            return decisive
        return None if None in results else not decisive

    return test


def compile_three_valued(tree: Filter) -> ThreeValuedTest:
    """Compile a filter into a test that is None where a hidden attribute may decide."""
    match tree:
        case Compare() | Present() | ValuePath():
            return _compile_three_valued_comparison(tree)
        case And(operands=operands):
            parts = tuple(map(compile_three_valued, operands))
            return _join(parts, decisive=False)
        case Or(operands=operands):
            return _join(tuple(map(compile_three_valued, operands)), decisive=True)
        case Not(operand=operand):
            return _negate(compile_three_valued(operand))


def _write_operand(tree: Filter) -> str:
    text = write_filter(tree)
    return f"({text})" if isinstance(tree, And | Or) else text


def write_filter(tree: Filter) -> str:
    """Return text that `parse_filter` reads as the same tree."""
    match tree:
        case Compare(attribute=name, operator=operator, value=value):
            return f"{name} {operator} {json.dumps(value, ensure_ascii=False)}"
        case Present(attribute=name):
            return f"{name} pr"
        case ValuePath(attribute=name, operand=operand):
            return f"{name}[{write_filter(operand)}]"
        case And(operands=operands):
            return " and ".join(map(_write_operand, operands))
        case Or(operands=operands):
            return " or ".join(map(_write_operand, operands))
        case Not(operand=operand):
            return f"not ({write_filter(operand)})"
