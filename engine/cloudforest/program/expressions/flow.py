"""Functions that stop the flow of an attribute or an object, or mark a value."""

from __future__ import annotations

from cloudforest.program.expressions.function import (
    AttributeValues,
    Evaluate,
    EvaluationContext,
    FunctionTable,
    Operands,
    Parameter,
    build_fault,
)
from cloudforest.program.expressions.values import Value, as_text, is_empty
from cloudforest.program.faults import AttributeIgnored, ObjectIgnored, RaisedFault

ERROR_REASON = "The mapping's Error function rejects this object."
TABLE = FunctionTable()


@TABLE.built("DefaultDomain", gives="text", contextual=True)
def default_domain(_operands: Operands, _context: EvaluationContext) -> Evaluate:
    """Return the tenant's default domain (`defaultDomain` of the Tenant)."""
    return build_fault(
        "DefaultDomain() has no domain to return. Set `defaultDomain:` in the Tenant."
    )


@TABLE.built("IgnoreAttributeFlow", gives="nothing", bare=True)
def ignore_attribute(_operands: Operands) -> Evaluate:
    """Skip the attribute: its value in the target stays unchanged."""

    def evaluate(_attributes: AttributeValues) -> Value:
        raise AttributeIgnored

    return evaluate


@TABLE.built("IgnoreObjectFlow", gives="nothing", bare=True)
def ignore_object(_operands: Operands) -> Evaluate:
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
def raise_error(operands: Operands) -> Evaluate:
    """Reject the object, with a message as the reason.

    The reason is a constant message only, because a computed one may contain values.
    """
    message = operands[0].evaluate
    constant = operands[0].constant

    def evaluate(attributes: AttributeValues) -> Value:
        text = as_text(message(attributes))
        raise RaisedFault(text if constant and text else ERROR_REASON, text)

    return evaluate


@TABLE.eager("Redact", Parameter("value"), gives="any")
def redact(value: Value) -> Value:
    """Return a value that is written to the target, but never shown in logs."""
    return value
