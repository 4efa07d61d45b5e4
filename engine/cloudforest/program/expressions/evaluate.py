"""Expressions, compiled into closures: nothing is parsed again for each object."""

from __future__ import annotations

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import (
    Attribute,
    Call,
    Expression,
    Literally,
    Scalar,
    Template,
)
from cloudforest.program.expressions.functions import (
    FUNCTIONS,
    Evaluate,
    Operand,
    Row,
    Value,
    complaint,
)
from cloudforest.program.expressions.template import compile_template

__all__ = ["Evaluate", "Row", "Value", "compile_expression"]


def _constant(value: Scalar) -> Evaluate:
    return lambda _row: value


def _attribute(name: str) -> Evaluate:
    def evaluate(row: Row) -> Value:
        values = row.get(name)
        if not values:
            return None
        return values[0] if len(values) == 1 else values

    return evaluate


def _operand(argument: Expression | None) -> Operand | None:
    if argument is None:
        return None
    constant = isinstance(argument, Literally)
    return Operand(evaluate=compile_expression(argument), constant=constant)


def _call(call: Call) -> Evaluate:
    wrong = complaint(call.function, call.arguments)
    if wrong is not None:
        raise Misconfigured(
            f"An expression of this program can't be used: {wrong} Apply the tree again"
            " with the version that runs it."
        )
    return FUNCTIONS[call.function].build([_operand(each) for each in call.arguments])


def compile_expression(expression: Expression) -> Evaluate:
    """Compile into a function of an object's attributes, named in lower case.

    An attribute with one value is that text, with several a tuple, with none None. The
    function raises ValueFault when it can't work on what it gets.
    """
    match expression:
        case Literally(value=value):
            return _constant(value)
        case Attribute(name=name):
            return _attribute(name.lower())
        case Call():
            return _call(expression)
        case Template():
            return compile_template(expression)
