"""Functions that stop the flow of an attribute or an object, or mark a value."""

from __future__ import annotations

from collections.abc import Sequence

from cloudforest.program.expressions.function import (
    AttributeValues,
    Evaluate,
    Function,
    FunctionTable,
    Operand,
    Parameter,
    evaluator_of,
)
from cloudforest.program.expressions.values import Value, as_text, is_empty
from cloudforest.program.faults import AttributeIgnored, ObjectIgnored, RaisedFault

ERROR_REASON = "The mapping's Error function rejects this object."
TABLE = FunctionTable()
TABLE.add(
    Function(
        "DefaultDomain",
        (),
        "text",
        "Return the tenant's default domain (`defaultDomain` of the Tenant).",
    )
)


@TABLE.built("IgnoreAttributeFlow", gives="nothing", bare=True)
def ignore_attribute(_operands: Sequence[Operand | None]) -> Evaluate:
    """Skip the attribute: its value in the target stays unchanged."""

    def evaluate(_attributes: AttributeValues) -> Value:
        raise AttributeIgnored

    return evaluate


@TABLE.built("IgnoreObjectFlow", gives="nothing", bare=True)
def ignore_object(_operands: Sequence[Operand | None]) -> Evaluate:
    """Skip the object: it is neither created nor changed."""

    def evaluate(_attributes: AttributeValues) -> Value:
        raise ObjectIgnored

    return evaluate


@TABLE.eager("IgnoreFlowIfNullOrEmpty", Parameter("expression"), gives="any")
def ignore_if_empty(value: Value) -> Value:
    """Return a value, or skip the attribute if it is null or empty."""
    if is_empty(value):
        raise AttributeIgnored
    return value


@TABLE.built("Error", Parameter("message", "text"), gives="nothing")
def raise_error(operands: Sequence[Operand | None]) -> Evaluate:
    """Reject the object, with a message as the reason.

    The reason is a constant message only, because a computed one may contain values.
    """
    message = evaluator_of(operands[0])
    constant = operands[0] is not None and operands[0].constant

    def evaluate(attributes: AttributeValues) -> Value:
        text = as_text(message(attributes))
        raise RaisedFault(text if constant and text else ERROR_REASON, text)

    return evaluate


@TABLE.eager("Redact", Parameter("value"), gives="any")
def redact(value: Value) -> Value:
    """Return a value that is written to the target, but never shown in logs."""
    return value
