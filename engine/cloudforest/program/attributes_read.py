"""The directory attributes that expressions and filters read."""

from __future__ import annotations

from cloudforest.model.program import (
    And,
    Attribute,
    Call,
    Compare,
    Constant,
    Expression,
    Filter,
    Not,
    Or,
    Present,
    Template,
    ValuePath,
)

COMPUTED_ATTRIBUTES = frozenset({"sourceanchor", "objectguid", "dn"})
"""Attributes that every object has, and that are never requested from a directory."""


def find_expression_attributes(expression: Expression) -> frozenset[str]:
    match expression:
        case Constant():
            return frozenset()
        case Attribute(name=name):
            return frozenset({name.lower()})
        case Call(arguments=arguments):
            given = (each for each in arguments if each is not None)
            return frozenset[str]().union(*map(find_expression_attributes, given))
        case Template(reads=reads):
            return frozenset(name.lower() for name in reads)


def find_filter_attributes(tree: Filter) -> frozenset[str]:
    match tree:
        case (
            Compare(attribute=name)
            | Present(attribute=name)
            | ValuePath(attribute=name)
        ):
            return frozenset({name.lower()})
        case And(operands=operands) | Or(operands=operands):
            return frozenset[str]().union(*map(find_filter_attributes, operands))
        case Not(operand=operand):
            return find_filter_attributes(operand)
