"""One attribute mapping of Graph as an entry of `attributeMappings`."""

from __future__ import annotations

from typing import Any

from cloudforest.graph.schema import AttributeMapping, Source
from cloudforest.graph.targets import scim_path
from cloudforest.model.program import FlowType, Literally
from cloudforest.program.attribute import converted
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.forbidden import is_forbidden

FLOW_TYPES: tuple[FlowType, ...] = (
    "Always",
    "ObjectAddOnly",
    "MultiValueAddOnly",
    "ValueAddOnly",
    "AttributeAddOnly",
)
_BY_NAME = {each.lower(): each for each in FLOW_TYPES}
MOST = 1_000_000_000


class NoEquivalentError(Exception):
    """Something of Graph's has none here; the message is the reason, without a dot."""


def entry_of(mapping: AttributeMapping) -> tuple[str, dict[str, Any]]:
    """Return the SCIM path and the entry; raises NoEquivalentError.

    A source without a value leaves what is there, as in Graph (`whenNull: keep`).
    """
    name = mapping.target_attribute_name or ""
    path = scim_path(name)
    if path is None:
        raise NoEquivalentError("no SCIM attribute stands for it")
    entry = _origin(mapping)
    flow = _BY_NAME.get((mapping.flow_type or "Always").lower())
    if flow is None:
        raise NoEquivalentError(f"the flow type {mapping.flow_type} is unknown")
    if flow != "Always":
        entry["flowType"] = flow
    if 0 < (mapping.matching_priority or 0) <= MOST:
        entry["matchingPriority"] = mapping.matching_priority
    if mapping.source is not None and mapping.default_value:
        entry["defaultValue"] = mapping.default_value
    _require_fitting(path, entry)
    return path, entry


def _require_fitting(path: str, entry: dict[str, Any]) -> None:
    try:
        converted(path, entry.get("defaultValue"))
        converted(path, entry.get("constant"))
    except (SyntaxFault, ValueFault) as fault:
        raise NoEquivalentError(f"its value does not fit {path}") from fault


def _origin(mapping: AttributeMapping) -> dict[str, Any]:
    if mapping.source is None:
        if mapping.default_value is None:
            raise NoEquivalentError("it has no source")
        return {"constant": mapping.default_value}
    text = _expression(mapping.source)
    try:
        parsed = parse_expression(text)
    except SyntaxFault as fault:
        raise NoEquivalentError(fault.message.rstrip(".")) from fault
    forbidden = sorted(filter(is_forbidden, attributes_of(parsed)))
    if forbidden:
        raise NoEquivalentError(f"{forbidden[0]} holds secrets and is never read")
    match parsed:
        case Literally(value=value):
            return {"constant": value}
        case _:
            return {"source": text, "whenNull": "keep"}


def _expression(source: Source) -> str:
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
