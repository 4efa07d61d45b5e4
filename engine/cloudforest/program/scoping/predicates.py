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
from cloudforest.program.ad_schema import CASE_EXACT_ATTRIBUTES, lower_case

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
TICKS_PER_SECOND = 10_000_000
NEVER_TICKS = 2**63 - 1
"""A FILETIME that is none, like 0: an account that does not expire holds either."""


def _offset_ticks(zone: str | None) -> int:
    if zone in {None, "Z", "z"}:
        return 0
    digits = str(zone).replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return (-minutes if digits[0] == "-" else minutes) * 60 * TICKS_PER_SECOND


def parse_ticks(text: str) -> int | None:
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
    return ticks + int((fraction or "0").ljust(7, "0")[:7]) - _offset_ticks(zone)


def is_moment(value: object) -> bool:
    """Tell whether a value in a filter is compared as a moment."""
    return isinstance(value, str) and parse_ticks(value) is not None


def is_filetime_value(value: object) -> bool:
    """Tell whether a value in a filter can be a FILETIME."""
    if isinstance(value, str):
        return is_filetime(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_filetime(text: str) -> bool:
    return _FILETIME.fullmatch(text) is not None


def parse_filetime(text: str) -> int | None:
    """Return the moment; None for 0, for `NEVER` and for what is none."""
    ticks = int(text)
    return ticks if 0 < ticks < NEVER_TICKS else None


ValueTest = Callable[[str], bool]
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
_PART_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}


def _parse_number(text: str) -> int | float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def _to_directory_text(value: Scalar) -> str:
    """Booleans in a directory are the texts TRUE and FALSE."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def _compile_text_test(relation: Relation, value: Scalar, fold: Fold) -> ValueTest:
    wanted = fold(_to_directory_text(value))
    return lambda text: relation(fold(text), wanted)


def _compile_number_test(
    relation: Relation, wanted: float, otherwise: ValueTest
) -> ValueTest:
    def test(text: str) -> bool:
        number = _parse_number(text)
        return otherwise(text) if number is None else relation(number, wanted)

    return test


def _never(text: str) -> bool:  # noqa: ARG001 - a Test
    return False


def _compile_time_test(relation: Relation, wanted: int) -> ValueTest:
    def test(text: str) -> bool:
        ticks = parse_filetime(text) if is_filetime(text) else parse_ticks(text)
        return ticks is not None and relation(ticks, wanted)

    return test


def _compile_bits_test(wanted: int) -> ValueTest:
    return lambda text: bool(_WHOLE.fullmatch(text)) and int(text) & wanted == wanted


def compile_test(name: str, value: Scalar, fold: Fold) -> ValueTest:
    """Compile a comparison with one value; `fold` takes away the case, if it may.

    With a number only numbers compare, with a moment only moments: no other value is
    equal, greater or less. A text compares as a text, and a number in quotes with a
    number as a number, but equals a text only.
    """
    if name == "has" and isinstance(value, int):
        return _compile_bits_test(value)
    relation = _RELATIONS.get(name) or _PART_OPERATORS[name]
    as_text = _compile_text_test(relation, value, fold)
    if name in _PART_OPERATORS:
        return as_text
    if isinstance(value, str) and (wanted := parse_ticks(value)) is not None:
        return _compile_time_test(relation, wanted)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _compile_number_test(relation, value, _never)
    number = _parse_number(value) if isinstance(value, str) and name != "eq" else None
    return (
        as_text if number is None else _compile_number_test(relation, number, as_text)
    )


Attributes = Mapping[str, tuple[str, ...]]
Predicate = Callable[[Attributes], bool]

VALUE_NAME = "value"
"""What one value is called within the brackets of a value path."""


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

    Texts compare without case, unless the attribute's syntax tells cases apart, or all
    are to be `exact`. Any value of several is enough; a comparison with a missing
    attribute is false, `ne` is `not eq`, and `eq null` is `not pr`. `has` holds where
    all bits of a number are set. See `comparing` for numbers and moments.
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


ThreeValuedTest = Callable[[Attributes, AbstractSet[str]], bool | None]
"""Takes the attributes, and the names (in lower case) of those that may be hidden."""


def _compile_three_valued_comparison(
    tree: Compare | Present | ValuePath,
) -> ThreeValuedTest:
    name, holds = tree.attribute.lower(), compile_filter(tree)
    return lambda attributes, hidden: None if name in hidden else holds(attributes)


def _negate(operand: ThreeValuedTest) -> ThreeValuedTest:
    def judge(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        said = operand(attributes, hidden)
        return None if said is None else not said

    return judge


def _join(operands: tuple[ThreeValuedTest, ...], *, decisive: bool) -> ThreeValuedTest:
    """One operand that is `decisive` decides, whatever the others are."""

    def judge(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        said = {each(attributes, hidden) for each in operands}
        if decisive in said:
            return decisive
        return None if None in said else not decisive

    return judge


def compile_three_valued(tree: Filter) -> ThreeValuedTest:
    """Compile a filter into what it says for sure; with nothing hidden, as ever."""
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


def _literal(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write_operand(tree: Filter) -> str:
    text = write_filter(tree)
    return f"({text})" if isinstance(tree, And | Or) else text


def write_filter(tree: Filter) -> str:
    """Return text that `parse_filter` reads as the same tree."""
    match tree:
        case Compare(attribute=name, operator=operator, value=value):
            return f"{name} {operator} {_literal(value)}"
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
