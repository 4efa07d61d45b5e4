"""Requests that a target received, as scenarios write them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"


class Sent(NamedTuple):
    """A request that the target received, with names instead of ids.

    `body` is a PATCH's operations, or the resource without its schemas.
    """

    method: str
    path: str
    body: Any = None


def these(*sent: Sent) -> list[Sent]:
    """Return requests in the order of `Lab.cycle`."""
    return sorted(sent, key=json.dumps)


def patch(kind: str, name: str, *operations: dict[str, Any]) -> Sent:
    ordered = sorted(operations, key=json.dumps)
    return Sent("PATCH", f"/{kind}s/{name}", ordered)


def change(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def new(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def cleared(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def enlisted(group: str, *members: str) -> Sent:
    values = [{"value": each} for each in sorted(members)]
    return patch("Group", group, new("members", values))


def dismissed(group: str, *members: str) -> Sent:
    return patch(
        "Group",
        group,
        *(cleared(f'members[value eq "{each}"]') for each in sorted(members)),
    )


def disabled(name: str) -> Sent:
    return patch("User", name, change("active", value=False))


def enabled(name: str) -> Sent:
    return patch("User", name, change("active", value=True))


def renamed(name: str, display: str) -> Sent:
    return patch("User", name, change("displayName", display))


def referred(name: str, manager: str) -> Sent:
    return patch("User", name, new(MANAGER, {"value": manager}))


def operations_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a PATCH's operations, and lists of members in a stable order."""
    operations = body.get("Operations", [])
    for each in operations:
        if isinstance(each.get("value"), list):
            each["value"].sort(key=json.dumps)
    return sorted(operations, key=json.dumps)
