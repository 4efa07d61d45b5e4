"""Convert attribute mappings of Graph to entries of `attributeMappings`.

What Graph allows and the language refuses has no equivalent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

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
from cloudforest.program.expressions.trial import write_literal
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

_FLOW_TYPE_BY_NAME: dict[str, FlowType] = {
    each.lower(): each for each in get_args(FlowType)
}
_BEHAVIOR_BY_NAME: dict[str, FlowBehavior] = {
    each.lower(): each for each in get_args(FlowBehavior)
}
MAX_MATCHING_PRIORITY = 1_000_000_000


class NoEquivalentError(Exception):
    """A part of Graph has no equivalent; the message is the reason, without a dot."""


def _require_target(path: ScimPath, resource: str) -> None:
    reasons = {
        "foreign": f"{path} is an attribute of User resources",
        "unknown": f"{resource} resources of SCIM have no {path}",
        "immutable": f"the target sets {path} itself",
        "part": f"SCIM has no sub-attribute {path}",
    }
    if (mistake := find_path_mistake(path, resource)) is not None:
        raise NoEquivalentError(reasons[mistake])


def _require_stable_value(expression: Expression, entry: dict[str, Any]) -> None:
    flow = entry.get("flowType", "Always")
    unique = uses_function(expression, SELECT_UNIQUE_VALUE)
    names = [*find_impure_functions(expression), *[SELECT_UNIQUE_VALUE] * unique]
    if names and entry.get("matchingPriority"):
        raise NoEquivalentError(
            f"{names[0]} gives a new value each time, so it cannot be used to match"
        )
    allowed = ("ObjectAddOnly",) if unique else WRITE_ONCE_FLOW_TYPES
    if names and flow not in allowed:
        raise NoEquivalentError(
            f"{names[0]} gives a new value each time, but it flows as {flow}"
        )


def _require_expression(
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
    written = mapping.flow_behavior or "FlowWhenChanged"
    behavior = _BEHAVIOR_BY_NAME.get(written.lower())
    if flow is None:
        raise NoEquivalentError(f"the flow type {mapping.flow_type} is unknown")
    if behavior is None:
        raise NoEquivalentError(f"the flow behavior {mapping.flow_behavior} is unknown")
    if str(path) == "members" and flow not in MEMBER_FLOW_TYPES:
        raise NoEquivalentError(
            f"members cannot flow as {flow}, as each is added separately"
        )
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
            return write_literal(source.name)
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
    _require_target(path, resource)
    expression = _parse_source(mapping)
    entry = _convert_source(mapping, expression) | _convert_flow(mapping, path)
    priority = mapping.matching_priority or 0
    if 0 < priority <= MAX_MATCHING_PRIORITY and not find_unmatchable_reason(path):
        entry["matchingPriority"] = priority
    if expression is not None and mapping.default_value:
        entry["defaultValue"] = mapping.default_value
    try:
        convert_value(name, entry.get("defaultValue"))
        convert_value(name, entry.get("constant"))
    except (SyntaxFault, ValueFault) as fault:
        raise NoEquivalentError(f"its value does not fit {path}") from fault
    if "source" in entry and expression is not None:
        _require_expression(path, expression, resource, entry)
    return name, entry
