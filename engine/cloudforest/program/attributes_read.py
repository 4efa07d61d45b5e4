"""Which directory attributes expressions and filters read."""

from __future__ import annotations

from cloudforest.model.program import (
    And,
    Attribute,
    Call,
    Compare,
    Expression,
    Filter,
    Literally,
    Not,
    Or,
    Present,
    Template,
    ValuePath,
)

COMPUTED = frozenset({"sourceanchor", "objectguid", "dn"})
"""Names that every object has and that are never asked of the directory."""


def attributes_of(expression: Expression) -> frozenset[str]:
    match expression:
        case Literally():
            return frozenset()
        case Attribute(name=name):
            return frozenset({name.lower()})
        case Call(arguments=arguments):
            return frozenset[str]().union(
                *(attributes_of(each) for each in arguments if each is not None)
            )
        case Template(reads=reads):
            return frozenset(name.lower() for name in reads)


def filter_attributes(tree: Filter) -> frozenset[str]:
    match tree:
        case (
            Compare(attribute=name)
            | Present(attribute=name)
            | ValuePath(attribute=name)
        ):
            return frozenset({name.lower()})
        case And(operands=operands) | Or(operands=operands):
            return frozenset[str]().union(*map(filter_attributes, operands))
        case Not(operand=operand):
            return filter_attributes(operand)
