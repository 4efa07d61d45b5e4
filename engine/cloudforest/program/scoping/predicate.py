"""Filter trees, compiled: what they say of an object."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

from cloudforest.model.program import (
    And,
    Compare,
    Filter,
    Not,
    Or,
    Present,
    Scalar,
)

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_ORDER: dict[str, Callable[..., bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}

Attributes = Mapping[str, tuple[str, ...]]
Predicate = Callable[[Attributes], bool]
Test = Callable[[str], bool]


def _number(text: str) -> int | float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def _folded(value: Scalar) -> str:
    """Booleans in a directory are the texts TRUE and FALSE."""
    return str(value).casefold()


def _equality(value: Scalar) -> Test:
    wanted = _folded(value)
    if isinstance(value, bool | str):
        return lambda text: text.casefold() == wanted

    def test(text: str) -> bool:
        number = _number(text)
        return text.casefold() == wanted if number is None else number == value

    return test


def _order(name: str, value: Scalar) -> Test:
    compare, folded = _ORDER[name], _folded(value)
    wanted = _number(folded)

    def test(text: str) -> bool:
        number = None if wanted is None else _number(text)
        return (
            compare(text.casefold(), folded)
            if number is None
            else compare(number, wanted)
        )

    return test


def _containment(name: str, value: Scalar) -> Test:
    compare, wanted = _TEXT[name], _folded(value)
    return lambda text: compare(text.casefold(), wanted)


def _test(name: str, value: Scalar) -> Test:
    if name in _ORDER:
        return _order(name, value)
    return _containment(name, value) if name in _TEXT else _equality(value)


def _presence(name: str) -> Predicate:
    return lambda attributes: bool(attributes.get(name))


def _comparison(tree: Compare) -> Predicate:
    name = tree.attribute.lower()
    if tree.value is None:
        return _negation(_presence(name))
    test = _test(tree.operator, tree.value)
    return lambda attributes: any(map(test, attributes.get(name, ())))


def _negation(operand: Predicate) -> Predicate:
    return lambda attributes: not operand(attributes)


def _compare(tree: Compare) -> Predicate:
    found = _comparison(tree)
    return _negation(found) if tree.operator == "ne" else found


def _conjunction(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: all(each(attributes) for each in operands)


def _disjunction(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: any(each(attributes) for each in operands)


def compile_filter(tree: Filter) -> Predicate:
    """Compile a filter into a test of an object's attributes, named in lower case.

    Texts compare without case; any value of several is enough; a comparison with a
    missing attribute is false, `ne` is `not eq`, and `eq null` is `not pr`. Numbers
    compare as numbers when both sides are numbers, else as texts do.
    """
    match tree:
        case Compare():
            return _compare(tree)
        case Present(attribute=name):
            return _presence(name.lower())
        case And(operands=operands):
            return _conjunction(tuple(map(compile_filter, operands)))
        case Or(operands=operands):
            return _disjunction(tuple(map(compile_filter, operands)))
        case Not(operand=operand):
            return _negation(compile_filter(operand))
