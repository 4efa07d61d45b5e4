"""Whether what an expression is sure to give fits the type of its target."""

from __future__ import annotations

from typing import Any, Literal

from cloudforest.model.program import Attribute, Call, Expression, FlowType, Literally
from cloudforest.program.attribute.conversion import converted
from cloudforest.program.attribute.directory import SEVERAL, TEXTS
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

Clash = tuple[Literal["several", "text"], str]
"""What is given where one value, or true or false, is taken; and what gives it."""


def clash(path: Path, expression: Expression, resource: str) -> Clash | None:
    """Return how an expression can't fit a path of a resource type, if that is sure."""
    attribute = target_attribute(path, resource)
    if attribute is None:
        return None
    several = _several(expression)
    if several is not None and not (attribute.many and path.sub is None):
        return "several", several
    boolean = attribute.boolean or path.sub in BOOLEAN_PARTS
    text = _text(expression) if boolean else None
    return None if text is None else ("text", text)


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
