"""Filter trees, compiled: what they say of an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cloudforest.model.program import (
    And,
    Compare,
    Filter,
    Not,
    Or,
    Present,
    ValuePath,
)
from cloudforest.program.scoping.comparing import test_of
from cloudforest.program.scoping.comparing.syntax import CASE_EXACT, without_case

Attributes = Mapping[str, tuple[str, ...]]
Predicate = Callable[[Attributes], bool]

VALUE = "value"
"""What one value is called within the brackets of a value path."""


def _presence(name: str) -> Predicate:
    return lambda attributes: bool(attributes.get(name))


def _comparison(tree: Compare, *, exact: bool) -> Predicate:
    name = tree.attribute.lower()
    if tree.value is None:
        return _negation(_presence(name))
    operator = "eq" if tree.operator == "ne" else tree.operator
    fold = str if exact or name in CASE_EXACT else without_case
    test = test_of(operator, tree.value, fold)
    return lambda attributes: any(map(test, attributes.get(name, ())))


def _negation(operand: Predicate) -> Predicate:
    return lambda attributes: not operand(attributes)


def _compare(tree: Compare, *, exact: bool) -> Predicate:
    found = _comparison(tree, exact=exact)
    return _negation(found) if tree.operator == "ne" else found


def _value_path(tree: ValuePath) -> Predicate:
    name = tree.attribute.lower()
    accepts = compile_filter(tree.operand, exact=name in CASE_EXACT)
    return lambda attributes: any(
        accepts({VALUE: (each,)}) for each in attributes.get(name, ())
    )


def _conjunction(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: all(each(attributes) for each in operands)


def _disjunction(operands: tuple[Predicate, ...]) -> Predicate:
    return lambda attributes: any(each(attributes) for each in operands)


def _all(trees: tuple[Filter, ...], *, exact: bool) -> tuple[Predicate, ...]:
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
            return _compare(tree, exact=exact)
        case Present(attribute=name):
            return _presence(name.lower())
        case ValuePath():
            return _value_path(tree)
        case And(operands=operands):
            return _conjunction(_all(operands, exact=exact))
        case Or(operands=operands):
            return _disjunction(_all(operands, exact=exact))
        case Not(operand=operand):
            return _negation(compile_filter(operand, exact=exact))
