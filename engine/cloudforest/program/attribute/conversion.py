"""What a rule's value becomes in JSON, by the type of its target."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cloudforest.model.program import Rule, Scalar, ValueType
from cloudforest.program.expressions.functions.dates.reading import moment
from cloudforest.program.expressions.functions.values import (
    Item,
    Moment,
    Value,
    integer,
    is_empty,
    items,
    number_or_none,
    text,
)
from cloudforest.program.faults import ValueFault
from cloudforest.program.resource.path import Path, parse_path

_GENERALIZED = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,]\d+)?Z")
"""RFC 4517, 3.3.13, as Active Directory writes it."""
_BOOLEAN_NAMES = frozenset({"active", "primary"})
_BOOLEANS = {
    each: truth
    for truth, spellings in ((True, "True true 1"), (False, "False false 0"))
    for each in spellings.split()
}


def _boolean(value: Item) -> bool:
    found = _BOOLEANS.get(text(value))
    if found is None:
        found = _BOOLEANS.get(text(value).strip().lower())
    if found is None:
        raise ValueFault("True or False is needed here, and the value is neither.")
    return found


def _as_it_is(value: Item) -> Scalar:
    return str(value) if isinstance(value, Moment) else value


def _decimal(value: Item) -> float:
    number = None if isinstance(value, Moment) else number_or_none(value)
    if number is None:
        raise ValueFault("A number is needed here, and the value is not one.")
    return float(number)


def _date_time(value: Item) -> str:
    """Return it as RFC 7643, 2.3.5, has it; AD's generalized time is known as well."""
    found = _GENERALIZED.fullmatch(text(value))
    if found is not None:
        year, month, day, *clock = found.groups()
        return f"{year}-{month}-{day}T{':'.join(clock)}Z"
    return moment(value).at.strftime("%Y-%m-%dT%H:%M:%SZ")


_OF_TYPE: dict[ValueType, Callable[[Item], Scalar]] = {
    "string": text,
    "boolean": _boolean,
    "integer": integer,
    "decimal": _decimal,
    "dateTime": _date_time,
    "binary": text,
    "reference": text,
}


def _item_converter(path: Path, type_: ValueType | None) -> Callable[[Item], Scalar]:
    """Choose: core schemas have booleans and texts, an extension says its own types."""
    if type_ is not None:
        return _OF_TYPE[type_]
    if path.is_foreign:
        return _as_it_is
    return _boolean if (path.sub or path.attribute) in _BOOLEAN_NAMES else text


def converted(target: str, value: Scalar, type_: ValueType | None = None) -> Any:
    """Return one value as a SCIM path takes it; raises ValueFault."""
    if value is None or is_empty(value):
        return None
    return _item_converter(parse_path(target), type_)(value)


def converter(rule: Rule) -> Callable[[Value], Any]:
    """Return what makes JSON of a value: a list if the rule keeps all, else the first.

    Null, an empty text and an empty list become None. Raises ValueFault.
    """
    convert = _item_converter(parse_path(rule.target), rule.type)

    def convert_one(value: Value) -> Any:
        """Go straight to the commonest case: one text."""
        if isinstance(value, str):
            return convert(value) if value else None
        return convert_first(value)

    def convert_text(value: Value) -> Any:
        return (value or None) if isinstance(value, str) else convert_first(value)

    def convert_all(value: Value) -> Any:
        return [convert(each) for each in items(value) if not is_empty(each)] or None

    def convert_first(value: Value) -> Any:
        present = (each for each in items(value) if not is_empty(each))
        first = next(present, None)
        return None if first is None else convert(first)

    if rule.multi:
        return convert_all
    return convert_text if convert is text else convert_one
