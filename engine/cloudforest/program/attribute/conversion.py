"""What a rule's value becomes in JSON, by the type of its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudforest.model.program import Rule, Scalar
from cloudforest.program.expressions.functions.values import (
    Item,
    Moment,
    Value,
    is_empty,
    items,
    text,
)
from cloudforest.program.faults import ValueFault
from cloudforest.program.resource.path import ENTERPRISE, Path, parse_path

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


def _item_converter(path: Path) -> Callable[[Item], Scalar]:
    """Choose: core schemas have booleans and texts, an extension its own types."""
    if path.schema not in {None, ENTERPRISE}:
        return _as_it_is
    return _boolean if (path.sub or path.attribute) in _BOOLEAN_NAMES else text


def converted(target: str, value: Scalar) -> Any:
    """Return one value as a SCIM path takes it; raises ValueFault."""
    if value is None or is_empty(value):
        return None
    return _item_converter(parse_path(target))(value)


def converter(rule: Rule) -> Callable[[Value], Any]:
    """Return what makes JSON of a value: a list if the rule keeps all, else the first.

    Null, an empty text and an empty list become None. Raises ValueFault.
    """
    convert = _item_converter(parse_path(rule.target))

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
