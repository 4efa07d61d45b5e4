"""What the language refuses of an attribute mapping that Graph takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudforest.model.program import Expression, FlowType
from cloudforest.program.attribute import converted
from cloudforest.program.attribute.fitting import OF_MEMBERS, ONCE, clash
from cloudforest.program.expressions.facts import (
    DOMAIN,
    UNIQUE,
    impure_functions,
    uses,
)
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.resource import Path
from cloudforest.program.resource.scim import mistake


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
