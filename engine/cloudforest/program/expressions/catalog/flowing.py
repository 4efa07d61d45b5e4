"""Functions that say whether anything flows."""

from __future__ import annotations

from cloudforest.program.expressions.functions import flow
from cloudforest.program.expressions.functions.shape import Function, Parameter, eager

FLOWING = (
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
        flow.error,
    ),
    Function(
        "IgnoreAttributeFlow",
        (),
        "nothing",
        "Leave the attribute as it is.",
        flow.ignore_attribute,
        bare=True,
    ),
    Function(
        "IgnoreFlowIfNullOrEmpty",
        (Parameter("expression", "any"),),
        "any",
        "Leave the attribute as it is where there is no value.",
        eager(flow.ignore_if_empty),
    ),
    Function(
        "IgnoreObjectFlow",
        (),
        "nothing",
        "Leave the object as it is.",
        flow.ignore_object,
        bare=True,
    ),
    Function(
        "Redact",
        (Parameter("value", "any"),),
        "any",
        "Let a value flow, and show it in no log.",
        eager(flow.redact),
    ),
)
