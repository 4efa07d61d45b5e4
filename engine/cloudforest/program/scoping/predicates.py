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

from msgspec.structs import replace

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
        return _FILETIME.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parse_number(text: str) -> int | float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def _compile_number_test(
    relation: Relation, operand: float, otherwise: ValueTest
) -> ValueTest:
    def test(text: str) -> bool:
        number = _parse_number(text)
        return otherwise(text) if number is None else relation(number, operand)

    return test


def _compile_time_test(relation: Relation, operand: int) -> ValueTest:
    def test(text: str) -> bool:
        if _FILETIME.fullmatch(text):
            return 0 < int(text) < NEVER_TICKS and relation(int(text), operand)
        ticks = parse_ticks(text)
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
    # Directories write TRUE and FALSE.
    operand = fold(str(value).upper() if isinstance(value, bool) else str(value))

    def as_text(text: str) -> bool:
        return relation(fold(text), operand)

    if name in _PART_OPERATORS:
        return as_text
    if isinstance(value, str) and (ticks := parse_ticks(value)) is not None:
        return _compile_time_test(relation, ticks)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _compile_number_test(relation, value, lambda _text: False)
    number = _parse_number(value) if isinstance(value, str) and name != "eq" else None
    return (
        as_text if number is None else _compile_number_test(relation, number, as_text)
    )


def _negate(operand: Predicate) -> Predicate:
    return lambda attributes: not operand(attributes)


def _compile_comparison(tree: Compare, *, exact: bool) -> Predicate:
    if tree.operator == "ne":
        return _negate(_compile_comparison(replace(tree, operator="eq"), exact=exact))
    name = tree.attribute.lower()
    if tree.value is None:
        return _negate(compile_filter(Present(attribute=name)))
    fold = str if exact or name in CASE_EXACT_ATTRIBUTES else lower_case
    test = compile_test(tree.operator, tree.value, fold)
    return lambda attributes: any(map(test, attributes.get(name, ())))


def _compile_value_path(tree: ValuePath) -> Predicate:
    name = tree.attribute.lower()
    accepts = compile_filter(tree.operand, exact=name in CASE_EXACT_ATTRIBUTES)
    return lambda attributes: any(
        accepts({VALUE_NAME: (each,)}) for each in attributes.get(name, ())
    )


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
            name = name.lower()
            return lambda attributes: bool(attributes.get(name))
        case ValuePath():
            return _compile_value_path(tree)
        case Not(operand=operand):
            return _negate(compile_filter(operand, exact=exact))
        case And(operands=operands) | Or(operands=operands):
            parts = tuple(compile_filter(each, exact=exact) for each in operands)
            if isinstance(tree, And):
                return lambda attributes: all(each(attributes) for each in parts)
            return lambda attributes: any(each(attributes) for each in parts)


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
            name, test = tree.attribute.lower(), compile_filter(tree)
            return lambda attributes, hidden: (
                None if name in hidden else test(attributes)
            )
        case Not(operand=operand):
            inner = compile_three_valued(operand)
            return lambda attributes, hidden: (
                None if (holds := inner(attributes, hidden)) is None else not holds
            )
        case And(operands=operands) | Or(operands=operands):
            parts = tuple(map(compile_three_valued, operands))
            return _join(parts, decisive=isinstance(tree, Or))


def find_filter_attributes(tree: Filter) -> frozenset[str]:
    """Return the attributes that a filter reads, in lower case."""
    match tree:
        case Compare() | Present() | ValuePath():
            return frozenset({tree.attribute.lower()})
        case And(operands=operands) | Or(operands=operands):
            return frozenset[str]().union(*map(find_filter_attributes, operands))
        case Not(operand=operand):
            return find_filter_attributes(operand)


def write_filter(tree: Filter) -> str:
    """Return text that `parse_filter` reads as the same tree."""
    match tree:
        case Compare(attribute=name, operator=operator, value=value):
            return f"{name} {operator} {json.dumps(value, ensure_ascii=False)}"
        case Present(attribute=name):
            return f"{name} pr"
        case ValuePath(attribute=name, operand=operand):
            return f"{name}[{write_filter(operand)}]"
        case And(operands=operands) | Or(operands=operands):
            texts = (
                f"({write_filter(each)})"
                if isinstance(each, And | Or)
                else write_filter(each)
                for each in operands
            )
            return (" and " if isinstance(tree, And) else " or ").join(texts)
        case Not(operand=operand):
            return f"not ({write_filter(operand)})"
