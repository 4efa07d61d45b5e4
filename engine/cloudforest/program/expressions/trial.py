"""Trials of an expression on one object: the result, and the result of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeVar

from cloudforest.model.program import (
    Attribute,
    Call,
    Constant,
    Expression,
    Scalar,
    Template,
)
from cloudforest.program.expressions.catalog import OPERATORS
from cloudforest.program.expressions.evaluate import (
    EvaluationContext,
    compile_expression,
)
from cloudforest.program.expressions.function import AttributeValues, Evaluate
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.values import Moment, Value
from cloudforest.program.faults import Ignored, RaisedFault, SyntaxFault, ValueFault

T = TypeVar("T")
ObjectAttributes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class TrialResult:
    """The result of an expression or a part of it.

    A `value` is JSON. An `outcome` is `attribute ignored`, `object ignored`, or, for a
    part, `not needed`. An `error` is a sentence.
    """

    kind: Literal["value", "outcome", "error"]
    content: Any


@dataclass(frozen=True)
class TrialStep:
    """A part of an expression, with its result and its parts."""

    text: str
    result: TrialResult
    steps: tuple[TrialStep, ...] = ()


NOT_NEEDED = TrialResult("outcome", "not needed")


def _to_json_value(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_to_json_value(each) for each in value]
    return str(value) if isinstance(value, Moment) else value


def _evaluate(evaluate: Callable[[T], Value], attributes: T) -> TrialResult:
    try:
        return TrialResult("value", _to_json_value(evaluate(attributes)))
    except Ignored as ignored:
        return TrialResult("outcome", ignored.outcome)
    except ValueFault as fault:
        return _make_error(fault)


def _make_error(fault: ValueFault) -> TrialResult:
    raised = fault.message if isinstance(fault, RaisedFault) else ""
    return TrialResult("error", raised or fault.reason)


def _parse(text: str) -> Expression | TrialResult:
    try:
        return parse_expression(text)
    except SyntaxFault as fault:
        return TrialResult("error", f"Character {fault.offset + 1}: {fault.message}")


def try_expression(
    text: str, attributes: ObjectAttributes, context: EvaluationContext
) -> TrialResult:
    """Evaluate an expression; attributes are named in lower case."""
    parsed = _parse(text)
    if isinstance(parsed, TrialResult):
        return parsed
    return _evaluate(compile_expression(parsed, context), attributes)


def write_literal(value: Scalar) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if not isinstance(value, float):
        return str(value)
    digits = f"{Decimal(repr(value)):f}"
    return digits if "." in digits else f"{digits}.0"


def write_expression(
    expression: Expression,
    spelling: Callable[[str], str] = str,
    literal: Callable[[Scalar], str] = write_literal,
) -> str:
    """Return the text of an expression.

    `spelling` spells attributes, whose names are in lower case. `literal` writes
    constants.
    """
    match expression:
        case Constant(value=value):
            return literal(value)
        case Attribute(name=name):
            return f"[{spelling(name)}]"
        case Template(text=text):
            return text
        case Call(function=function, arguments=arguments):
            parts = [
                write_expression(each, spelling, literal) if each else ""
                for each in arguments
            ]
            if function in OPERATORS:
                return f" {function} ".join(parts)
            return f"{function}({', '.join(parts)})"


def _make_step(expression: Expression, results: Mapping[int, TrialResult]) -> TrialStep:
    parts = expression.arguments if isinstance(expression, Call) else ()
    return TrialStep(
        text=write_expression(expression),
        result=results.get(id(expression), NOT_NEEDED),
        steps=tuple(_make_step(each, results) for each in parts if each is not None),
    )


def explain_expression(
    text: str, attributes: ObjectAttributes, context: EvaluationContext
) -> TrialStep:
    """Evaluate an expression, with the result of each part that was needed."""
    parsed = _parse(text)
    if isinstance(parsed, TrialResult):
        return TrialStep(text, parsed)
    results: dict[int, TrialResult] = {}

    def watch(part: Expression, evaluate: Evaluate) -> Evaluate:
        def watched(prepared: AttributeValues) -> Value:
            try:
                value = evaluate(prepared)
            except Ignored as ignored:
                results[id(part)] = TrialResult("outcome", ignored.outcome)
                raise
            except ValueFault as fault:
                results[id(part)] = _make_error(fault)
                raise
            results[id(part)] = TrialResult("value", _to_json_value(value))
            return value

        return watched

    compiled = compile_expression(parsed, replace(context, watcher=watch))
    _evaluate(compiled, attributes)
    return _make_step(parsed, results)
