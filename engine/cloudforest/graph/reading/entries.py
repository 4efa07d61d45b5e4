"""One attribute mapping of Graph as an entry of `attributeMappings`."""

from __future__ import annotations

from typing import Any

from cloudforest.graph.reading.fitting import (
    NoEquivalentError,
    require_expression,
    require_flow,
    require_readable,
    require_target,
    require_values,
)
from cloudforest.graph.schema import AttributeMapping, Source
from cloudforest.graph.targets import scim_path
from cloudforest.model.program import Expression, FlowBehavior, FlowType, Literally
from cloudforest.program.attribute.fitting import is_reference, unmatchable
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.resource import Path, parse_path

FLOW_TYPES: tuple[FlowType, ...] = (
    "Always",
    "ObjectAddOnly",
    "MultiValueAddOnly",
    "ValueAddOnly",
    "AttributeAddOnly",
)
FLOW_BEHAVIORS: tuple[FlowBehavior, ...] = ("FlowWhenChanged", "FlowAlways")
_TYPES = {each.lower(): each for each in FLOW_TYPES}
_BEHAVIORS = {each.lower(): each for each in FLOW_BEHAVIORS}
MOST = 1_000_000_000


def entry_of(mapping: AttributeMapping, resource: str) -> tuple[str, dict[str, Any]]:
    """Return the SCIM path and the entry; raises NoEquivalentError.

    `resource` is the type that is written, as `User`. A source without a value leaves
    what is there, as in Graph (`whenNull: keep`).
    """
    name = scim_path(mapping.target_attribute_name or "")
    if name is None:
        raise NoEquivalentError("no SCIM attribute stands for it")
    path = parse_path(name)
    require_target(path, resource)
    expression = _expression(mapping)
    entry = _origin(mapping, expression) | _flow(mapping, path)
    if 0 < (mapping.matching_priority or 0) <= MOST and not unmatchable(path):
        entry["matchingPriority"] = mapping.matching_priority
    if expression is not None and mapping.default_value:
        entry["defaultValue"] = mapping.default_value
    require_values(path, entry)
    if "source" in entry and expression is not None:
        require_expression(path, expression, resource, entry)
    return name, entry


def _flow(mapping: AttributeMapping, path: Path) -> dict[str, Any]:
    """Return what is not as it is by default."""
    flow = _TYPES.get((mapping.flow_type or "Always").lower())
    behavior = _BEHAVIORS.get((mapping.flow_behavior or "FlowWhenChanged").lower())
    if flow is None:
        raise NoEquivalentError(f"the flow type {mapping.flow_type} is unknown")
    if behavior is None:
        raise NoEquivalentError(f"the flow behavior {mapping.flow_behavior} is unknown")
    require_flow(path, flow)
    found: dict[str, Any] = {}
    if flow != "Always":
        found["flowType"] = flow
    if behavior != "FlowWhenChanged":
        found["flowBehavior"] = behavior
    if mapping.export_missing_references and is_reference(path):
        found["exportMissingReferences"] = True
    return found


def _origin(mapping: AttributeMapping, expression: Expression | None) -> dict[str, Any]:
    if expression is None or mapping.source is None:
        return {"constant": mapping.default_value}
    if isinstance(expression, Literally):
        return {"constant": expression.value}
    return {"source": _text(mapping.source), "whenNull": "keep"}


def _expression(mapping: AttributeMapping) -> Expression | None:
    """Return what is parsed of the source; None: there is only a default value."""
    if mapping.source is None:
        if mapping.default_value is None:
            raise NoEquivalentError("it has no source")
        return None
    try:
        parsed = parse_expression(_text(mapping.source))
    except SyntaxFault as fault:
        raise NoEquivalentError(fault.message.rstrip(".")) from fault
    require_readable(attributes_of(parsed))
    return parsed


def _text(source: Source) -> str:
    """Return the text of a source; where it has none, what its name stands for."""
    if source.expression:
        return source.expression
    match (source.type or "Attribute").lower():
        case "attribute" if source.name:
            return f"[{source.name}]"
        case "constant" if source.name is not None:
            escaped = source.name.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case _:
            raise NoEquivalentError("its source has no expression")
