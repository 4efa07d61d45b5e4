"""Expressions tried on one object: the result, and that of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeVar

from cloudforest.model.program import (
    Attribute,
    Call,
    Expression,
    Literally,
    Scalar,
    Template,
)
from cloudforest.program.expressions.catalog import OPERATORS
from cloudforest.program.expressions.evaluate import Setting, compile_expression
from cloudforest.program.expressions.function import Evaluate, Row
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.values import Moment, Value
from cloudforest.program.faults import Ignored, RaisedFault, SyntaxFault, ValueFault

T = TypeVar("T")
Attributes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Result:
    """What came of an expression or of a part of it.

    `value` is what JSON can say. `outcome`: `attribute ignored`, `object ignored`, or,
    of a part, `not needed`. `error` is a sentence.
    """

    kind: Literal["value", "outcome", "error"]
    what: Any


@dataclass(frozen=True)
class Step:
    """A part of an expression, with its result and its own parts."""

    text: str
    result: Result
    steps: tuple[Step, ...] = ()


NOT_NEEDED = Result("outcome", "not needed")


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Moment) else value


def _tried(evaluate: Callable[[T], Value], row: T) -> Result:
    try:
        return Result("value", _plain(evaluate(row)))
    except Ignored as ignored:
        return Result("outcome", ignored.outcome)
    except ValueFault as fault:
        return _fault(fault)


def _fault(fault: ValueFault) -> Result:
    raised = fault.message if isinstance(fault, RaisedFault) else ""
    return Result("error", raised or fault.reason)


def _parsed(text: str) -> Expression | Result:
    try:
        return parse_expression(text)
    except SyntaxFault as fault:
        return Result("error", f"Character {fault.offset + 1}: {fault.message}")


def try_expression(text: str, attributes: Attributes, setting: Setting) -> Result:
    """Evaluate a text; attributes are named in lower case."""
    parsed = _parsed(text)
    if isinstance(parsed, Result):
        return parsed
    return _tried(compile_expression(parsed, setting), attributes)


def _literal(value: Scalar) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if not isinstance(value, float):
        return str(value)
    digits = f"{Decimal(repr(value)):f}"
    return digits if "." in digits else f"{digits}.0"


def _call(call: Call) -> str:
    parts = [written(each) if each else "" for each in call.arguments]
    if call.function in OPERATORS:
        return f" {call.function} ".join(parts)
    return f"{call.function}({', '.join(parts)})"


def written(expression: Expression) -> str:
    """Write an expression; attribute names are in lower case."""
    match expression:
        case Literally(value=value):
            return _literal(value)
        case Attribute(name=name):
            return f"[{name}]"
        case Template(text=text):
            return text
        case Call():
            return _call(expression)


def _steps(expression: Expression, results: Mapping[int, Result]) -> Step:
    parts = expression.arguments if isinstance(expression, Call) else ()
    return Step(
        text=written(expression),
        result=results.get(id(expression), NOT_NEEDED),
        steps=tuple(_steps(each, results) for each in parts if each is not None),
    )


def explain_expression(text: str, attributes: Attributes, setting: Setting) -> Step:
    """Evaluate a text, and tell the result of each of its parts that was needed."""
    parsed = _parsed(text)
    if isinstance(parsed, Result):
        return Step(text, parsed)
    results: dict[int, Result] = {}

    def watch(part: Expression, evaluate: Evaluate) -> Evaluate:
        def watched(row: Row) -> Value:
            try:
                value = evaluate(row)
            except Ignored as ignored:
                results[id(part)] = Result("outcome", ignored.outcome)
                raise
            except ValueFault as fault:
                results[id(part)] = _fault(fault)
                raise
            results[id(part)] = Result("value", _plain(value))
            return value

        return watched

    compiled = compile_expression(parsed, replace(setting, watch=watch))
    _tried(compiled, attributes)
    return _steps(parsed, results)
