"""Expressions, compiled into closures: nothing is parsed again for each object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import Attribute, Call, Constant, Expression, Template
from cloudforest.program.expressions.analysis import is_constant
from cloudforest.program.expressions.catalog import FUNCTIONS, find_call_fault
from cloudforest.program.expressions.function import (
    EMPTY,
    NO_CONTEXT,
    Evaluate,
    EvaluationContext,
    Operand,
)
from cloudforest.program.expressions.templates import compile_template
from cloudforest.program.expressions.values import Value
from cloudforest.program.faults import Ignored, ValueFault


class PreparedAttributes(dict[str, Value]):
    """An object's attributes; a missing one is None."""

    __slots__ = ()

    def __missing__(self, name: str) -> Value:
        return None


def prepare_attributes(attributes: Mapping[str, tuple[str, ...]]) -> PreparedAttributes:
    """Return attributes as expressions see them.

    A single value is a text, several are a tuple, and no value is None.
    """
    made = PreparedAttributes()
    for name, values in attributes.items():
        made[name] = values[0] if len(values) == 1 else values or None
    return made


def _compile_operand(given: Expression | None, context: EvaluationContext) -> Operand:
    """Compile an argument, and evaluate a constant one now.

    If that raises a fault, every object gets it later.
    """
    if given is None:
        return EMPTY
    evaluate = compile_evaluator(given, context)
    if isinstance(given, Constant):
        return Operand(evaluate, constant=True, literal=True)
    if context.watcher is not None or not is_constant(given):
        return Operand(evaluate)
    try:
        value = evaluate(PreparedAttributes())
    except (ValueFault, Ignored):
        return Operand(evaluate)
    return Operand(lambda _attributes: value, constant=True)


def _compile_call(call: Call, context: EvaluationContext) -> Evaluate:
    fault = find_call_fault(call.function, call.arguments)
    if fault is not None:
        raise Misconfigured(
            f"This version cannot run an applied expression: {fault.message} Apply the"
            " tree again with this version."
        )
    function = FUNCTIONS[call.function]
    operands = [_compile_operand(each, context) for each in call.arguments]
    if function.contextual:
        return function.build(operands, context)
    return function.build(operands)


def _compile_node(expression: Expression, context: EvaluationContext) -> Evaluate:
    match expression:
        case Constant(value=value):
            return lambda _attributes: value
        case Attribute(name=name):
            return itemgetter(name.lower())
        case Call():
            return _compile_call(expression, context)
        case Template():
            return compile_template(expression)


def compile_evaluator(
    expression: Expression, context: EvaluationContext = NO_CONTEXT
) -> Evaluate:
    """Compile into a function of prepared attributes.

    It raises ValueFault if a function cannot use its arguments, and Ignored if the
    expression skips the attribute or the object.
    """
    evaluate = _compile_node(expression, context)
    watch = context.watcher
    return watch(expression, evaluate) if watch else evaluate


def compile_expression(
    expression: Expression, context: EvaluationContext = NO_CONTEXT
) -> Callable[[Mapping[str, tuple[str, ...]]], Value]:
    """Compile into a function of an object's attributes, named in lower case.

    Use it for one expression on few objects: each call prepares the attributes.
    """
    evaluate = compile_evaluator(expression, context)
    return lambda attributes: evaluate(prepare_attributes(attributes))
