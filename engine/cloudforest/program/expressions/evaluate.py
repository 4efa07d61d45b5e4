"""Expressions, compiled into closures: nothing is parsed again for each object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

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

__all__ = [
    "Evaluate",
    "Row",
    "Value",
    "compile_expression",
    "compile_prepared",
    "prepared",
]


class Prepared(dict[str, Value]):
    """An object's attributes; one that it does not have is null."""

    __slots__ = ()

    def __missing__(self, name: str) -> Value:
        return None


def prepared(attributes: Mapping[str, tuple[str, ...]]) -> Prepared:
    """Return attributes as expressions see them.

    One with one value is that text, with several a tuple, with none None.
    """
    made = Prepared()
    for name, values in attributes.items():
        made[name] = values[0] if len(values) == 1 else values or None
    return made


def _constant(value: Scalar) -> Evaluate:
    return lambda _row: value


def _operand(argument: Expression | None) -> Operand | None:
    if argument is None:
        return None
    constant = isinstance(argument, Literally)
    return Operand(evaluate=compile_prepared(argument), constant=constant)


def _call(call: Call) -> Evaluate:
    wrong = complaint(call.function, call.arguments)
    if wrong is not None:
        raise Misconfigured(
            f"An expression of this program can't be used: {wrong} Apply the tree again"
            " with the version that runs it."
        )
    return FUNCTIONS[call.function].build([_operand(each) for each in call.arguments])


def compile_prepared(expression: Expression) -> Evaluate:
    """Compile into a function of a prepared object, as fast as a function can be.

    It raises ValueFault when it can't work on what it gets.
    """
    match expression:
        case Literally(value=value):
            return _constant(value)
        case Attribute(name=name):
            return itemgetter(name.lower())
        case Call():
            return _call(expression)
        case Template():
            return compile_template(expression)


def compile_expression(
    expression: Expression,
) -> Callable[[Mapping[str, tuple[str, ...]]], Value]:
    """Compile into a function of an object's attributes, named in lower case.

    For one expression on few objects: each call prepares the object (see `prepared`).
    """
    evaluate = compile_prepared(expression)
    return lambda attributes: evaluate(prepared(attributes))
