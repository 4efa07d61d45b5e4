"""The PATCH that only adds members to a group or removes some: rows, not the group.

It is what provisioning sends by the thousand. Whatever else a PATCH says, or says in
another form, takes the general way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cloudforest.adapters.store.tenant import Members

ONE_MEMBER = re.compile(
    r'members\s*\[\s*value\s+eq\s+("(?:[^"\\]|\\.)*")\s*\]', re.IGNORECASE
)
SUB_ATTRIBUTES = frozenset({"value", "type", "display", "$ref"})


@dataclass
class MemberChanges:
    """Members to add and to remove; the last word on a member counts."""

    add: Members = field(default_factory=dict)
    remove: dict[str, None] = field(default_factory=dict)


def _is_member(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= SUB_ATTRIBUTES
        and all(isinstance(each, str) for each in value.values())
        and bool(value.get("value"))
    )


def _adding(operation: dict[str, Any], changes: MemberChanges) -> bool:
    value = operation.get("value")
    members: list[Any] = value if isinstance(value, list) else [value]
    if not all(_is_member(each) for each in members):
        return False
    for each in members:
        changes.remove.pop(each["value"], None)
        changes.add[each["value"]] = msgspec.json.encode(each)
    return True


def _removing(operation: dict[str, Any], changes: MemberChanges) -> bool:
    path = ONE_MEMBER.fullmatch(operation["path"].strip())
    if path is None or operation.get("value") is not None:
        return False
    member = json.loads(path[1])
    changes.add.pop(member, None)
    changes.remove[member] = None
    return True


def _take(operation: Any, changes: MemberChanges) -> bool:
    if not isinstance(operation, dict):
        return False
    path = operation.get("path")
    match str(operation.get("op")).lower(), path:
        case "add", str() if path.lower() == "members":
            return _adding(operation, changes)
        case "remove", str():
            return _removing(operation, changes)
        case _:
            return False


def member_changes(patch: dict[str, Any]) -> MemberChanges | None:
    """Return what the PATCH does to the members, or None if it does anything else."""
    operations = patch.get("Operations")
    changes = MemberChanges()
    if not isinstance(operations, list) or not operations:
        return None
    if all(_take(each, changes) for each in operations):
        return changes
    return None


def mentions_members(patch: dict[str, Any]) -> bool:
    """Return whether the members of the group must be read in order to apply it."""
    operations = patch.get("Operations")
    return not isinstance(operations, list) or any(
        not isinstance(each, dict)
        or not isinstance(each.get("path"), str)
        or "members" in each["path"].lower()
        for each in operations
    )
