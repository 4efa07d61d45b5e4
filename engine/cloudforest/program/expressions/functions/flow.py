"""Functions that end the flow of an attribute or an object, or mark what flows."""

from __future__ import annotations

from collections.abc import Sequence

from cloudforest.program.expressions.functions.shape import (
    Evaluate,
    Operand,
    Row,
    evaluator,
)
from cloudforest.program.expressions.functions.values import Value, is_empty, text
from cloudforest.program.faults import AttributeIgnored, ObjectIgnored, RaisedFault

REASON = "The mapping's Error function says that this object is wrong."


def ignore_attribute(_operands: Sequence[Operand | None]) -> Evaluate:
    def evaluate(_row: Row) -> Value:
        raise AttributeIgnored

    return evaluate


def ignore_object(_operands: Sequence[Operand | None]) -> Evaluate:
    def evaluate(_row: Row) -> Value:
        raise ObjectIgnored

    return evaluate


def ignore_if_empty(value: Value) -> Value:
    if is_empty(value):
        raise AttributeIgnored
    return value


def error(operands: Sequence[Operand | None]) -> Evaluate:
    """Only a message that is written in the mapping is a reason: others hold values."""
    message = evaluator(operands[0])
    constant = operands[0] is not None and operands[0].constant

    def evaluate(row: Row) -> Value:
        said = text(message(row))
        raise RaisedFault(said if constant and said else REASON, said)

    return evaluate


def redact(value: Value) -> Value:
    """Let the value flow; whoever maps keeps it out of every log."""
    return value
