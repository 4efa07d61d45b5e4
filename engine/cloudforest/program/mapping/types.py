"""Types of target attributes: conversion of values, and mismatches known in advance."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, Literal

from cloudforest.model.program import (
    Attribute,
    Call,
    CompiledAttributeMapping,
    Constant,
    Expression,
    FlowType,
    Scalar,
    ValueType,
)
from cloudforest.program.ad_schema import (
    BINARY_ATTRIBUTES,
    MULTI_VALUED,
    REFERENCE_ATTRIBUTES,
    SINGLE_TEXTS,
    TEXT_ATTRIBUTES,
)
from cloudforest.program.expressions.date_parsing import as_moment
from cloudforest.program.expressions.values import (
    Item,
    Moment,
    Value,
    as_integer,
    as_items,
    as_number_or_none,
    as_text,
    is_empty,
)
from cloudforest.program.faults import ValueFault
from cloudforest.program.scim.path import ScimPath, parse_path
from cloudforest.program.scim.schema import BOOLEAN_PARTS, find_target_attribute

LIST_FUNCTIONS = frozenset({"Split"})
SPELLING_FUNCTIONS = frozenset(
    {"CStr", "PCase", "StripSpaces", "ToLower", "ToUpper", "Trim"}
)
"""Functions that change the spelling of texts, and neither meaning nor number."""
PASSING_FUNCTIONS = frozenset({"CRef", "IgnoreFlowIfNullOrEmpty", "Item"})
"""Functions that return a value of their first argument unchanged."""
WRITE_ONCE_FLOW_TYPES = frozenset[FlowType](
    {"ObjectAddOnly", "ValueAddOnly", "AttributeAddOnly"}
)
"""Flow types that write a value once. MultiValueAddOnly adds more."""
MEMBER_FLOW_TYPES: tuple[FlowType, ...] = ("Always", "MultiValueAddOnly")
"""Flow types for group members, which are added and removed one by one."""
BINARY_TARGETS = frozenset({"photos", "x509Certificates"})

TypeClash = tuple[
    Literal["several", "text", "no reference", "reference", "binary"], str
]
"""A kind of mismatch, and the attribute, constant or function at fault.

`several`: several values where one fits; `text`: a text that is neither true nor false;
`no reference`: a text where another object is needed; `reference`, `binary`: another
object, or bytes, where a text is needed."""

_GENERALIZED_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,]\d+)?Z")
"""RFC 4517, 3.3.13, as Active Directory writes it."""
_BOOLEAN_ATTRIBUTES = frozenset({"active", "primary"})
_BOOLEANS = {
    **dict.fromkeys(("True", "true", "1"), True),
    **dict.fromkeys(("False", "false", "0"), False),
}


def _to_boolean(value: Item) -> bool:
    text = as_text(value)
    found = _BOOLEANS.get(text)
    if found is None and (found := _BOOLEANS.get(text.strip().lower())) is None:
        raise ValueFault("The value is neither True nor False.")
    return found


def _to_plain(value: Item) -> Scalar:
    return str(value) if isinstance(value, Moment) else value


def _to_decimal(value: Item) -> float:
    number = None if isinstance(value, Moment) else as_number_or_none(value)
    if number is None:
        raise ValueFault("The value is not a number.")
    return float(number)


def _to_date_time(value: Item) -> str:
    """Return a dateTime (RFC 7643, 2.3.5); AD's generalized time is one too."""
    found = _GENERALIZED_TIME.fullmatch(as_text(value))
    if found is not None:
        year, month, day, *clock = found.groups()
        return f"{year}-{month}-{day}T{':'.join(clock)}Z"
    return as_moment(value).at.strftime("%Y-%m-%dT%H:%M:%SZ")


_CONVERTERS: dict[ValueType, Callable[[Item], Scalar]] = {
    "string": as_text,
    "boolean": _to_boolean,
    "integer": as_integer,
    "decimal": _to_decimal,
    "dateTime": _to_date_time,
    "binary": as_text,
    "reference": as_text,
}


def _item_converter(
    path: ScimPath, type_: ValueType | None
) -> Callable[[Item], Scalar]:
    """Choose a converter; the core schemas have booleans and texts only."""
    if type_ is not None:
        return _CONVERTERS[type_]
    if path.is_custom_extension:
        return _to_plain
    is_boolean = (path.sub or path.attribute) in _BOOLEAN_ATTRIBUTES
    return _to_boolean if is_boolean else as_text


def convert_value(target: str, value: Scalar, type_: ValueType | None = None) -> Any:
    """Convert one value to the type of a SCIM path; raises ValueFault."""
    if value is None or is_empty(value):
        return None
    return _item_converter(parse_path(target), type_)(value)


def make_converter(rule: CompiledAttributeMapping) -> Callable[[Value], Any]:
    """Return a converter to JSON: a list if the rule keeps all, else the first value.

    Null, an empty text and an empty list become None. The function raises ValueFault.
    """
    convert = _item_converter(parse_path(rule.target), rule.type)

    def convert_one(value: Value) -> Any:
        if isinstance(value, str):  # the most frequent case
            return convert(value) if value else None
        return convert_first(value)

    def convert_text(value: Value) -> Any:
        return (value or None) if isinstance(value, str) else convert_first(value)

    def convert_all(value: Value) -> Any:
        return [convert(each) for each in as_items(value) if not is_empty(each)] or None

    def convert_first(value: Value) -> Any:
        present = (each for each in as_items(value) if not is_empty(each))
        first = next(present, None)
        return None if first is None else convert(first)

    if rule.multi:
        return convert_all
    return convert_text if convert is as_text else convert_one


def find_type_clash(
    path: ScimPath, expression: Expression, resource: str
) -> TypeClash | None:
    """Return why an expression never fits a path of a resource type, if known."""
    attribute = find_target_attribute(path, resource)
    if attribute is None or attribute.read_only:
        return None
    several = _find_multi_valued(expression)
    if several is not None and not (attribute.multi_valued and path.sub is None):
        return "several", several
    boolean = attribute.boolean or path.sub in BOOLEAN_PARTS
    text = _find_text(expression) if boolean else None
    return _find_reference_clash(path, expression) if text is None else ("text", text)


def _find_reference_clash(path: ScimPath, expression: Expression) -> TypeClash | None:
    """Return a clash between references, bytes and texts."""
    passed = _skip_calls(expression, PASSING_FUNCTIONS)
    if not isinstance(passed, Attribute):
        return None
    name = passed.name.lower()
    if path.is_manager or path.attribute == "members":
        is_whole = path.sub in {None, "value"}
        is_clash = is_whole and name in TEXT_ATTRIBUTES
        return ("no reference", f"[{passed.name}]") if is_clash else None
    if name in REFERENCE_ATTRIBUTES:
        return "reference", f"[{passed.name}]"
    if name in BINARY_ATTRIBUTES and path.attribute not in BINARY_TARGETS:
        return "binary", f"[{passed.name}]"
    return None


def _skip_calls(
    expression: Expression | None, functions: AbstractSet[str]
) -> Expression | None:
    """Return the first argument that does not call one of the functions."""
    while isinstance(expression, Call) and expression.function in functions:
        expression = expression.arguments[0] if expression.arguments else None
    return expression


def is_reference_path(path: ScimPath) -> bool:
    """Tell whether a path may hold a single, optional reference."""
    return path.is_manager or path.is_custom_extension


def find_unmatchable_reason(path: ScimPath) -> str | None:
    """Return why no resource can be matched by a path, if known; a verb phrase."""
    if path.is_manager or str(path) == "members":
        return "names other resources"
    return "has several values" if path.is_whole_multi_valued else None


def _find_multi_valued(expression: Expression) -> str | None:
    """Return what has several values, if the expression surely does."""
    match _skip_calls(expression, SPELLING_FUNCTIONS):
        case (
            Attribute(name=name)
            | Call(function="RemoveDuplicates", arguments=(Attribute(name=name), *_))
        ) if name.lower() in MULTI_VALUED:
            return f"[{name}]"
        case Call(function=function) if function in LIST_FUNCTIONS:
            return function
        case _:
            return None


def _find_text(expression: Expression) -> str | None:
    """Return what is never true or false, if the expression surely is not."""
    match _skip_calls(expression, SPELLING_FUNCTIONS):
        case Attribute(name=name) if name.lower() in SINGLE_TEXTS:
            return f"[{name}]"
        case Constant(value=value) if not _is_boolean(value):
            return f'"{value}"'
        case _:
            return None


def _is_boolean(value: Any) -> bool:
    try:
        convert_value("active", value)
    except ValueFault:
        return False
    return True
