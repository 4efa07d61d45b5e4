"""Trials of an expression on one object: the result, and the result of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from cloudforest.model.program import (
    Attribute,
    Call,
    Constant,
    Expression,
    Scalar,
    Template,
)
from cloudforest.program.expressions.evaluate import compile_expression
from cloudforest.program.expressions.function import (
    OPERATORS,
    AttributeValues,
    Evaluate,
    EvaluationContext,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.values import Moment, Value
from cloudforest.program.faults import Ignored, RaisedFault, SyntaxFault, ValueFault

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


def _describe_failure(error: SyntaxFault | ValueFault | Ignored) -> TrialResult:
    if isinstance(error, Ignored):
        return TrialResult("outcome", error.outcome)
    if isinstance(error, SyntaxFault):
        return TrialResult("error", f"Character {error.offset + 1}: {error.message}")
    raised = error.message if isinstance(error, RaisedFault) else ""
    return TrialResult("error", raised or error.reason)


def try_expression(
    text: str, attributes: ObjectAttributes, context: EvaluationContext
) -> TrialResult:
    """Evaluate an expression; attributes are named in lower case."""
    try:
        value = compile_expression(parse_expression(text), context)(attributes)
    except (SyntaxFault, ValueFault, Ignored) as error:
        return _describe_failure(error)
    return TrialResult("value", _to_json_value(value))


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
    try:
        parsed = parse_expression(text)
    except SyntaxFault as fault:
        return TrialStep(text, _describe_failure(fault))
    results: dict[int, TrialResult] = {}

    def watch(part: Expression, evaluate: Evaluate) -> Evaluate:
        def watched(prepared: AttributeValues) -> Value:
            try:
                value = evaluate(prepared)
            except (ValueFault, Ignored) as error:
                results[id(part)] = _describe_failure(error)
                raise
            results[id(part)] = TrialResult("value", _to_json_value(value))
            return value

        return watched

    compiled = compile_expression(parsed, replace(context, watcher=watch))
    with suppress(ValueFault, Ignored):  # recorded above
        compiled(attributes)
    return _make_step(parsed, results)
