"""Values fit the types of their targets: one or several, true or false."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.meaning.directory import SEVERAL, TEXTS
from cloudforest.compiler.rules.meaning.scim import BOOLEAN_PARTS
from cloudforest.compiler.rules.meaning.targets import target_attribute
from cloudforest.compiler.tree import Tree
from cloudforest.model.program import Attribute, Call, Expression, Literally
from cloudforest.program.attribute import converted
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.resource.path import Path, parse_path

LISTS = frozenset({"Split"})
SPELLINGS = frozenset({"CStr", "PCase", "StripSpaces", "ToLower", "ToUpper", "Trim"})
"""Functions that change how a text is written, and neither its sense nor its number."""


def types_fit(tree: Tree) -> Iterator[Complaint]:
    for mapping in tree.of("Mapping"):
        content = tree.merged(mapping)
        if content is None:
            continue
        resource = content.get("targetObjectName", "")
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            found = _fault(target, entry or {}, resource)
            if found is not None:
                key, message = found
                path = ("attributeMappings", target, key)
                yield Complaint("type-clash", message, mapping, path)


def _fault(target: str, entry: dict[str, Any], resource: str) -> tuple[str, str] | None:
    """Return the key at fault and the sentence; None for what can't be read."""
    try:
        path = parse_path(target)
        if "constant" in entry:
            return _of_constant(path, entry["constant"])
        if "source" in entry:
            return _of_source(path, entry["source"], resource)
    except SyntaxFault:
        return None
    return None


def _of_constant(path: Path, constant: Any) -> tuple[str, str] | None:
    try:
        converted(str(path), constant)
    except ValueFault:
        message = (
            f'"{path}" is true or false, and the constant is neither; '
            "write `true` or `false`."
        )
        return "constant", message
    return None


def _of_source(path: Path, source: str, resource: str) -> tuple[str, str] | None:
    attribute = target_attribute(path, resource)
    if attribute is None:
        return None
    expression = parse_expression(source)
    several = _several(expression)
    if several is not None and not (attribute.many and path.sub is None):
        message = (
            f'"{path}" takes one value, and {_as_written(several, source)} has '
            "several, in no order; choose one with Item, or put them together with "
            "Join."
        )
        return "source", message
    boolean = attribute.boolean or path.sub in BOOLEAN_PARTS
    text = _text(expression) if boolean else None
    if text is not None:
        message = (
            f'"{path}" is true or false, and {_as_written(text, source)} is a text; '
            "compare it with = or Switch, or take another attribute."
        )
        return "source", message
    return None


def _as_written(words: str, source: str) -> str:
    """Return words of an expression in the spelling that they have there."""
    at = source.lower().find(words.lower())
    return source[at : at + len(words)] if at >= 0 else words


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
