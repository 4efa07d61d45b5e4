"""Whether what an expression is sure to give fits the type of its target.

What a rule's value becomes in JSON, by the type of its target.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from cloudforest.model.program import (
    Attribute,
    Call,
    Expression,
    FlowType,
    Literally,
    Rule,
    Scalar,
    ValueType,
)
from cloudforest.program.ad_schema import BINARY, NAMELESS, REFERENCES, SEVERAL, TEXTS
from cloudforest.program.expressions.date_parsing import moment
from cloudforest.program.expressions.values import (
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
from cloudforest.program.scim.path import Path, parse_path
from cloudforest.program.scim.schema import BOOLEAN_PARTS, target_attribute

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


LISTS = frozenset({"Split"})
SPELLINGS = frozenset({"CStr", "PCase", "StripSpaces", "ToLower", "ToUpper", "Trim"})
"""Functions that change how a text is written, and neither its sense nor its number."""
ONCE = frozenset[FlowType]({"ObjectAddOnly", "ValueAddOnly", "AttributeAddOnly"})
"""Flow types under which a value is written once. MultiValueAddOnly adds more."""
OF_MEMBERS: tuple[FlowType, ...] = ("Always", "MultiValueAddOnly")
"""Those of group members, of whom each comes and goes for itself."""

PASSING = frozenset({"CRef", "IgnoreFlowIfNullOrEmpty", "Item"})
"""Functions that give a value of their first argument as it is."""
FOR_BYTES = frozenset({"photos", "x509Certificates"})

Clash = tuple[Literal["several", "text", "no reference", "reference", "binary"], str]
"""What is given where one value, true or false, another object, a text or a text is
taken; and what gives it."""


def clash(path: Path, expression: Expression, resource: str) -> Clash | None:
    """Return how an expression can't fit a path of a resource type, if that is sure."""
    attribute = target_attribute(path, resource)
    if attribute is None or attribute.read_only:
        return None
    several = _several(expression)
    if several is not None and not (attribute.many and path.sub is None):
        return "several", several
    boolean = attribute.boolean or path.sub in BOOLEAN_PARTS
    text = _text(expression) if boolean else None
    return _misread(path, expression) if text is None else ("text", text)


def _misread(path: Path, expression: Expression) -> Clash | None:
    """Return what names an object where a text is taken, bytes, or the reverse."""
    passed = _passed(expression)
    name = passed.lower() if passed else ""
    if path.is_manager or path.attribute == "members":
        whole = path.sub in {None, "value"}
        return ("no reference", f"[{passed}]") if whole and name in NAMELESS else None
    if name in REFERENCES:
        return "reference", f"[{passed}]"
    if name in BINARY and path.attribute not in FOR_BYTES:
        return "binary", f"[{passed}]"
    return None


def _passed(expression: Expression) -> str | None:
    """Return the attribute whose values the whole gives as they are."""
    match expression:
        case Attribute(name=name):
            return name
        case Call(function=function, arguments=(inner, *_)) if function in PASSING:
            return _passed(inner) if inner is not None else None
        case _:
            return None


def is_reference(path: Path) -> bool:
    """Tell whether a path may hold one reference, which may be missing."""
    return path.is_manager or path.is_foreign


def unmatchable(path: Path) -> str | None:
    """Say why no resource is found by what a path holds, as far as is known."""
    if path.is_manager or str(path) == "members":
        return "names other resources"
    return "has several values" if path.is_plural_whole else None


def _several(expression: Expression) -> str | None:
    """Return what has several values, if the whole is sure to."""
    match expression:
        case Attribute(name=name) if name.lower() in SEVERAL:
            return f"[{name}]"
        case Call(function=function) if function in LISTS:
            return function
        case Call(function="RemoveDuplicates", arguments=(Attribute() as inner, *_)):
            return _several(inner)
        case Call(function=function, arguments=(inner, *_)) if function in SPELLINGS:
            return _several(inner) if inner is not None else None
        case _:
            return None


def _text(expression: Expression) -> str | None:
    """Return what is a text that is never true or false, if the whole is sure to be."""
    match expression:
        case Attribute(name=name) if name.lower() in TEXTS:
            return f"[{name}]"
        case Literally(value=value) if not _is_boolean(value):
            return f'"{value}"'
        case Call(function=function, arguments=(inner, *_)) if function in SPELLINGS:
            return _text(inner) if inner is not None else None
        case _:
            return None


def _is_boolean(value: Any) -> bool:
    try:
        converted("active", value)
    except ValueFault:
        return False
    return True
