"""One attribute mapping of Graph as an entry of `attributeMappings`.

What the language refuses of an attribute mapping that Graph takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudforest.graph.schema import AttributeMapping, Source, scim_path
from cloudforest.model.program import Expression, FlowBehavior, FlowType, Literally
from cloudforest.program.attributes_read import attributes_of
from cloudforest.program.expressions.analysis import (
    DOMAIN,
    UNIQUE,
    impure_functions,
    uses,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.mapping.types import (
    OF_MEMBERS,
    ONCE,
    clash,
    converted,
    is_reference,
    unmatchable,
)
from cloudforest.program.scim.path import Path, parse_path
from cloudforest.program.scim.schema import mistake


class NoEquivalentError(Exception):
    """Something of Graph's has none here; the message is the reason, without a dot."""


def require_target(path: Path, resource: str) -> None:
    match mistake(path, resource):
        case "foreign":
            raise NoEquivalentError(f"{path} is an attribute of Users")
        case "unknown":
            raise NoEquivalentError(f"{resource} resources of SCIM have no {path}")
        case "immutable":
            raise NoEquivalentError(f"the target sets {path} itself")
        case "part":
            raise NoEquivalentError(f"SCIM has no part {path}")
        case None:
            return


def require_flow(path: Path, flow: FlowType) -> None:
    if str(path) == "members" and flow not in OF_MEMBERS:
        raise NoEquivalentError(f"members can't flow as {flow}; each comes for itself")


def require_values(path: Path, entry: dict[str, Any]) -> None:
    try:
        converted(str(path), entry.get("defaultValue"))
        converted(str(path), entry.get("constant"))
    except (SyntaxFault, ValueFault) as fault:
        raise NoEquivalentError(f"its value does not fit {path}") from fault


def require_expression(
    path: Path, expression: Expression, resource: str, entry: dict[str, Any]
) -> None:
    """Refuse what would not fit the target, or would be another in every cycle."""
    if uses(expression, DOMAIN):
        raise NoEquivalentError(
            f"{DOMAIN} needs defaultDomain in the Tenant; write the entry when it is"
            " there"
        )
    match clash(path, expression, resource):
        case ("several", words):
            raise NoEquivalentError(
                f"{path} takes one value, and {words} has several, in no order"
            )
        case ("text", words):
            raise NoEquivalentError(f"{path} is true or false, and {words} is a text")
        case (_, words):
            raise NoEquivalentError(f"{path} can't hold what {words} is")
        case None:
            _require_lasting(expression, entry)


def _require_lasting(expression: Expression, entry: dict[str, Any]) -> None:
    flow = entry.get("flowType", "Always")
    unique = uses(expression, UNIQUE)
    names = impure_functions(expression) or ((UNIQUE,) if unique else ())
    if not names:
        return
    if entry.get("matchingPriority"):
        raise NoEquivalentError(
            f"{names[0]} gives another value each time, so nothing is found by it"
        )
    if flow not in ONCE or (unique and flow != "ObjectAddOnly"):
        raise NoEquivalentError(
            f"{names[0]} gives another value each time, and it flows as {flow}"
        )


def require_readable(names: Iterable[str]) -> None:
    """Raise NoEquivalentError if one holds secrets, or is no directory attribute."""
    for name in sorted(names):
        if is_forbidden(name):
            raise NoEquivalentError(f"{name} holds secrets and is never read")
        if not is_name(name):
            raise NoEquivalentError(f"no directory has an attribute {name}")


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
