"""Functions that stop the flow of an attribute or an object, or mark a value."""

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

ERROR_REASON = "The mapping's Error function rejects this object."


def ignore_attribute(_operands: Sequence[Operand | None]) -> Evaluate:
    def evaluate(_attributes: AttributeValues) -> Value:
        raise AttributeIgnored

    return evaluate


def ignore_object(_operands: Sequence[Operand | None]) -> Evaluate:
    def evaluate(_attributes: AttributeValues) -> Value:
        raise ObjectIgnored

    return evaluate


def ignore_if_empty(value: Value) -> Value:
    if is_empty(value):
        raise AttributeIgnored
    return value


def raise_error(operands: Sequence[Operand | None]) -> Evaluate:
    """Raise RaisedFault; its reason is a constant message only.

    A computed message may contain values, which a reason must not.
    """
    message = evaluator_of(operands[0])
    constant = operands[0] is not None and operands[0].constant

    def evaluate(attributes: AttributeValues) -> Value:
        text = as_text(message(attributes))
        raise RaisedFault(text if constant and text else ERROR_REASON, text)

    return evaluate


def redact(value: Value) -> Value:
    """Return the value; the provisioning service keeps it out of every log."""
    return value


FLOW_FUNCTIONS = (
    Function(
        "DefaultDomain",
        (),
        "text",
        "Return the tenant's default domain (`defaultDomain` of the Tenant).",
        None,
    ),
    Function(
        "Error",
        (Parameter("message", "text"),),
        "nothing",
        "Reject the object, with a message as the reason.",
        raise_error,
    ),
    Function(
        "IgnoreAttributeFlow",
        (),
        "nothing",
        "Skip the attribute: its value in the target stays unchanged.",
        ignore_attribute,
        bare=True,
    ),
    Function(
        "IgnoreFlowIfNullOrEmpty",
        (Parameter("expression", "any"),),
        "any",
        "Return a value, or skip the attribute if it is null or empty.",
        build_eager(ignore_if_empty),
    ),
    Function(
        "IgnoreObjectFlow",
        (),
        "nothing",
        "Skip the object: it is neither created nor changed.",
        ignore_object,
        bare=True,
    ),
    Function(
        "Redact",
        (Parameter("value", "any"),),
        "any",
        "Return a value that is written to the target, but never shown in logs.",
        build_eager(redact),
    ),
)
