"""Whether what an expression is sure to give fits the type of its target."""

from __future__ import annotations

from typing import Any, Literal

from cloudforest.model.program import Attribute, Call, Expression, FlowType, Literally
from cloudforest.program.attribute.conversion import converted
from cloudforest.program.attribute.directory import (
    BINARY,
    NAMELESS,
    REFERENCES,
    SEVERAL,
    TEXTS,
)
from cloudforest.program.faults import ValueFault
from cloudforest.program.resource.path import Path
from cloudforest.program.resource.scim import BOOLEAN_PARTS, target_attribute

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
