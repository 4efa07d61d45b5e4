"""Convert attribute mappings of Graph to entries of `attributeMappings`.

What Graph allows and the language refuses has no equivalent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudforest.graph.schema import AttributeMapping, Source, find_scim_path
from cloudforest.model.program import Constant, Expression, FlowBehavior, FlowType
from cloudforest.program.expressions.analysis import (
    DEFAULT_DOMAIN,
    SELECT_UNIQUE_VALUE,
    find_expression_attributes,
    find_impure_functions,
    uses_function,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
from cloudforest.program.mapping.types import (
    MEMBER_FLOW_TYPES,
    WRITE_ONCE_FLOW_TYPES,
    convert_value,
    find_type_clash,
    find_unmatchable_reason,
    is_reference_path,
)
from cloudforest.program.scim.path import ScimPath, parse_path
from cloudforest.program.scim.schema import find_path_mistake

FLOW_TYPES: tuple[FlowType, ...] = (
    "Always",
    "ObjectAddOnly",
    "MultiValueAddOnly",
    "ValueAddOnly",
    "AttributeAddOnly",
)
FLOW_BEHAVIORS: tuple[FlowBehavior, ...] = ("FlowWhenChanged", "FlowAlways")
_FLOW_TYPE_BY_NAME = {each.lower(): each for each in FLOW_TYPES}
_BEHAVIOR_BY_NAME = {each.lower(): each for each in FLOW_BEHAVIORS}
MAX_MATCHING_PRIORITY = 1_000_000_000


class NoEquivalentError(Exception):
    """A part of Graph has no equivalent; the message is the reason, without a dot."""


def require_target(path: ScimPath, resource: str) -> None:
    match find_path_mistake(path, resource):
        case "foreign":
            raise NoEquivalentError(f"{path} is an attribute of User resources")
        case "unknown":
            raise NoEquivalentError(f"{resource} resources of SCIM have no {path}")
        case "immutable":
            raise NoEquivalentError(f"the target sets {path} itself")
        case "part":
            raise NoEquivalentError(f"SCIM has no sub-attribute {path}")
        case None:
            return


def require_flow(path: ScimPath, flow: FlowType) -> None:
    if str(path) == "members" and flow not in MEMBER_FLOW_TYPES:
        raise NoEquivalentError(
            f"members cannot flow as {flow}, as each is added separately"
        )


def require_values(path: ScimPath, entry: dict[str, Any]) -> None:
    try:
        convert_value(str(path), entry.get("defaultValue"))
        convert_value(str(path), entry.get("constant"))
    except (SyntaxFault, ValueFault) as fault:
        raise NoEquivalentError(f"its value does not fit {path}") from fault


def _require_stable_value(expression: Expression, entry: dict[str, Any]) -> None:
    flow = entry.get("flowType", "Always")
    unique = uses_function(expression, SELECT_UNIQUE_VALUE)
    names = find_impure_functions(expression) or (
        (SELECT_UNIQUE_VALUE,) if unique else ()
    )
    if not names:
        return
    if entry.get("matchingPriority"):
        raise NoEquivalentError(
            f"{names[0]} gives a new value each time, so it cannot be used to match"
        )
    if flow not in WRITE_ONCE_FLOW_TYPES or (unique and flow != "ObjectAddOnly"):
        raise NoEquivalentError(
            f"{names[0]} gives a new value each time, but it flows as {flow}"
        )


def require_expression(
    path: ScimPath, expression: Expression, resource: str, entry: dict[str, Any]
) -> None:
    """Refuse values that do not fit the target or differ in every cycle."""
    if uses_function(expression, DEFAULT_DOMAIN):
        raise NoEquivalentError(
            f"{DEFAULT_DOMAIN} needs defaultDomain in the Tenant; write it there, then "
            "add the entry"
        )
    match find_type_clash(path, expression, resource):
        case ("several", words):
            raise NoEquivalentError(f"{path} takes one value, but {words} has several")
        case ("text", words):
            raise NoEquivalentError(f"{path} is true or false, but {words} is text")
        case (_, words):
            raise NoEquivalentError(f"{path} cannot hold the value of {words}")
        case None:
            _require_stable_value(expression, entry)


def require_readable(names: Iterable[str]) -> None:
    """Refuse attributes that hold secrets, and names that are not attributes."""
    for name in sorted(names):
        if is_forbidden(name):
            raise NoEquivalentError(f"{name} holds secrets and is never read")
        if not is_attribute_name(name):
            raise NoEquivalentError(f"{name} is not an attribute name")


def _convert_flow(mapping: AttributeMapping, path: ScimPath) -> dict[str, Any]:
    """Return the flow options that differ from the defaults."""
    flow = _FLOW_TYPE_BY_NAME.get((mapping.flow_type or "Always").lower())
    behavior = _BEHAVIOR_BY_NAME.get(
        (mapping.flow_behavior or "FlowWhenChanged").lower()
    )
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
    if mapping.export_missing_references and is_reference_path(path):
        found["exportMissingReferences"] = True
    return found


def _source_text(source: Source) -> str:
    """Return the expression of a source, or one made of its name."""
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


def _convert_source(
    mapping: AttributeMapping, expression: Expression | None
) -> dict[str, Any]:
    if expression is None or mapping.source is None:
        return {"constant": mapping.default_value}
    if isinstance(expression, Constant):
        return {"constant": expression.value}
    return {"source": _source_text(mapping.source), "whenNull": "keep"}


def _parse_source(mapping: AttributeMapping) -> Expression | None:
    """Return the parsed source; None where the mapping only has a default value."""
    if mapping.source is None:
        if mapping.default_value is None:
            raise NoEquivalentError("it has no source")
        return None
    try:
        parsed = parse_expression(_source_text(mapping.source))
    except SyntaxFault as fault:
        raise NoEquivalentError(fault.message.rstrip(".")) from fault
    require_readable(find_expression_attributes(parsed))
    return parsed


def convert_entry(
    mapping: AttributeMapping, resource: str
) -> tuple[str, dict[str, Any]]:
    """Return the SCIM path and the entry; raises NoEquivalentError.

    `resource` is the resource type, such as `User`. An empty source keeps the old
    value, as in Graph (`whenNull: keep`).
    """
    name = find_scim_path(mapping.target_attribute_name or "")
    if name is None:
        raise NoEquivalentError("it has no SCIM attribute")
    path = parse_path(name)
    require_target(path, resource)
    expression = _parse_source(mapping)
    entry = _convert_source(mapping, expression) | _convert_flow(mapping, path)
    if 0 < (
        mapping.matching_priority or 0
    ) <= MAX_MATCHING_PRIORITY and not find_unmatchable_reason(path):
        entry["matchingPriority"] = mapping.matching_priority
    if expression is not None and mapping.default_value:
        entry["defaultValue"] = mapping.default_value
    require_values(path, entry)
    if "source" in entry and expression is not None:
        require_expression(path, expression, resource, entry)
    return name, entry
