"""Functions that end the flow of an attribute or an object, or mark what flows.

Functions that say whether anything flows.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudforest.program.expressions.function import (
    AttributeValues,
    Evaluate,
    Function,
    Operand,
    Parameter,
    build_eager,
    evaluator_of,
)
from cloudforest.program.expressions.values import Value, as_text, is_empty
from cloudforest.program.faults import AttributeIgnored, ObjectIgnored, RaisedFault

ERROR_REASON = "The mapping's Error function says that this object is wrong."


def ignore_attribute(_operands: Sequence[Operand | None]) -> Evaluate:
    def evaluate(_row: AttributeValues) -> Value:
        raise AttributeIgnored

    return evaluate


def ignore_object(_operands: Sequence[Operand | None]) -> Evaluate:
    def evaluate(_row: AttributeValues) -> Value:
        raise ObjectIgnored

    return evaluate


def ignore_if_empty(value: Value) -> Value:
    if is_empty(value):
        raise AttributeIgnored
    return value


def raise_error(operands: Sequence[Operand | None]) -> Evaluate:
    """Only a message that is written in the mapping is a reason: others hold values."""
    message = evaluator_of(operands[0])
    constant = operands[0] is not None and operands[0].constant

    def evaluate(row: AttributeValues) -> Value:
        said = as_text(message(row))
        raise RaisedFault(said if constant and said else ERROR_REASON, said)

    return evaluate


def redact(value: Value) -> Value:
    """Let the value flow; whoever maps keeps it out of every log."""
    return value


FLOW_FUNCTIONS = (
    Function(
        "DefaultDomain",
        (),
        "text",
        "Take the tenant's default domain (`defaultDomain` of the Tenant).",
        None,
    ),
    Function(
        "Error",
        (Parameter("message", "text"),),
        "nothing",
        "Hold the object back, for this reason.",
        raise_error,
    ),
    Function(
        "IgnoreAttributeFlow",
        (),
        "nothing",
        "Leave the attribute as it is.",
        ignore_attribute,
        bare=True,
    ),
    Function(
        "IgnoreFlowIfNullOrEmpty",
        (Parameter("expression", "any"),),
        "any",
        "Leave the attribute as it is where there is no value.",
        build_eager(ignore_if_empty),
    ),
    Function(
        "IgnoreObjectFlow",
        (),
        "nothing",
        "Leave the object as it is.",
        ignore_object,
        bare=True,
    ),
    Function(
        "Redact",
        (Parameter("value", "any"),),
        "any",
        "Let a value flow, and show it in no log.",
        build_eager(redact),
    ),
)
