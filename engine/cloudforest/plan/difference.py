"""What differs between two registrations, document by document and field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cloudforest.model.registration import Registration
from cloudforest.model.value import Value
from cloudforest.plan.change import Change, FieldChange

Documents = dict[tuple[str, str], dict[str, Any]]


def difference(
    registered: Registration | None, desired: Registration
) -> tuple[Change, ...]:
    """Return the changes that lead from one to the other, in the order to make them."""
    before = _documents(registered) if registered else {}
    after = _documents(desired)
    changes = [
        change
        for key in before.keys() | after.keys()
        if (change := _change(key, before.get(key), after.get(key)))
    ]
    return tuple(sorted(changes, key=lambda each: each.order))


def _documents(registration: Registration) -> Documents:
    kinds: dict[str, tuple[Value, ...]] = {
        "Tenant": (registration.tenant,),
        "Target": registration.targets,
        "Forest": registration.forests,
        "Agent": registration.agents,
        "Scope": registration.scopes,
        "Mapping": registration.mappings,
        "Job": registration.jobs,
    }
    return {
        (kind, document["name"]): document
        for kind, values in kinds.items()
        for document in map(_as_json, values)
    }


def _as_json(value: Value) -> dict[str, Any]:
    # Lists as lists: a saved plan is to be equal to the one that was made.
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return document


def _change(
    key: tuple[str, str], before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Change | None:
    kind, name = key
    if before is None:
        fields = _fields({}, after or {})
        return Change(action="create", kind=kind, name=name, fields=tuple(fields))
    if after is None:
        fields = _fields(before, {})
        return Change(action="delete", kind=kind, name=name, fields=tuple(fields))
    changed = tuple(_fields(before, after))
    if not changed:
        return None
    return Change(action="update", kind=kind, name=name, fields=changed)


def _fields(
    before: dict[str, Any], after: dict[str, Any], prefix: str = ""
) -> Iterator[FieldChange]:
    for key in sorted(before.keys() | after.keys()):
        path = f"{prefix}.{key}" if prefix else key
        old, new = before.get(key), after.get(key)
        if path == "name" or old == new:
            continue
        if isinstance(old, dict | None) and isinstance(new, dict | None):
            yield from _fields(old or {}, new or {}, path)
        else:
            yield FieldChange(path=path, before=old, after=new)
