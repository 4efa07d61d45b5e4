"""Resources: nested as on the wire, flat as in mappings; and their PATCHes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudforest.model.effects import Change
from cloudforest.model.source import FlatResource
from cloudforest.program.faults import MappingFault
from cloudforest.program.scim.path import (
    CORE_PREFIX,
    ScimPath,
    from_wire_value,
    parse_path,
    to_wire_value,
)

PatchOperation = dict[str, Any]
PathChange = tuple[ScimPath, Change]


def _put_value(resource: dict[str, Any], path: ScimPath, value: Any) -> None:
    holder = resource if path.schema is None else resource.setdefault(path.schema, {})
    if path.sub is None:
        holder[path.attribute] = value
        return
    inner = holder.setdefault(path.attribute, {} if path.key is None else [])
    if isinstance(inner, list):
        several, key, wanted = inner, path.key or "", path.key_value
        inner = next((each for each in several if each.get(key) == wanted), None)
        if inner is None:
            inner = {key: wanted}
            several.append(inner)
    if not isinstance(inner, dict):
        raise MappingFault(
            str(path), f"Another entry of the mapping sets all of {path.attribute}."
        )
    inner[path.sub] = value


def assemble_resource(resource_type: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON resource with its `schemas`; None values are left out."""
    present = [
        (parse_path(text), each) for text, each in flat.items() if each is not None
    ]
    schemas = dict.fromkeys(path.schema for path, _ in present if path.schema)
    is_core = resource_type in {"User", "Group"}
    urn = (CORE_PREFIX if is_core else "urn:cloudforest:2.0:") + resource_type
    resource: dict[str, Any] = {"schemas": [urn, *schemas]}
    for path, value in sorted(present, key=lambda item: item[0].sub is not None):
        _put_value(resource, path, to_wire_value(path, value))
    return resource


def _get_caseless(holder: Any, name: str) -> Any:
    """Look up an attribute without case (RFC 7643, 2.1)."""
    if not isinstance(holder, Mapping):
        return None
    if name in holder:
        return holder[name]
    lowered = name.lower()
    return next((holder[key] for key in holder if key.lower() == lowered), None)


def _is_matching_element(value: Any, path: ScimPath) -> bool:
    found = _get_caseless(value, path.key or "")
    if isinstance(found, str) and isinstance(path.key_value, str):
        return found.lower() == path.key_value.lower()
    return found is path.key_value


def _get_at_path(resource: Mapping[str, Any], path: ScimPath) -> Any:
    holder = resource if path.schema is None else _get_caseless(resource, path.schema)
    value = _get_caseless(holder, path.attribute)
    if path.key is not None:
        several = value if isinstance(value, list) else []
        value = next(
            (each for each in several if _is_matching_element(each, path)), None
        )
    return (
        from_wire_value(path, value)
        if path.sub is None
        else _get_caseless(value, path.sub)
    )


def extract_values(resource: Mapping[str, Any], paths: Iterable[str]) -> FlatResource:
    """Return the values at the paths, by path; null and empty lists are left out."""
    found = ((path, _get_at_path(resource, parse_path(path))) for path in paths)
    return {path: value for path, value in found if value not in (None, [])}


def _make_operation(path: ScimPath, change: Change) -> PatchOperation:
    """Make one operation; a new list is a replace, because an add keeps old values."""
    if change.after is None:
        return {"op": "remove", "path": str(path)}
    if change.how == "add" and isinstance(change.after, list):
        before = change.before if isinstance(change.before, list) else []
        new = [each for each in change.after if each not in before]
        return {"op": "add", "path": str(path), "value": to_wire_value(path, new)}
    is_new = change.before is None and not isinstance(change.after, list)
    return {
        "op": "add" if is_new else "replace",
        "path": str(path),
        "value": to_wire_value(path, change.after),
    }


def _patch_existing_element(parts: Sequence[PathChange]) -> list[PatchOperation]:
    """Remove an element that loses its `value`, or the last part that we wrote."""
    changed = [each for each in parts if each[1].is_sent]
    loses_last = any(
        path.sub == "value" or change.how == "last" for path, change in parts
    )
    if changed and loses_last and all(change.after is None for _, change in parts):
        return [{"op": "remove", "path": changed[0][0].element}]
    return [_make_operation(path, change) for path, change in changed]


def _make_new_element(parts: Sequence[PathChange]) -> dict[str, Any] | None:
    """Return the whole element; a server may refuse a filter that matches nothing."""
    path = parts[0][0]
    values = {str(each.sub): change.after for each, change in parts}
    present = {sub: value for sub, value in values.items() if value is not None}
    return {str(path.key): path.key_value, **present} if present else None


def make_patch_operations(changes: Sequence[Change]) -> list[PatchOperation]:
    """Return the smallest PATCH for the changes (RFC 7644, 3.5.2).

    An element selected by a filter exists if any of its changes has a `before`. A
    change from a value to itself only proves that, and writes nothing.
    """
    groups: dict[str, list[PathChange]] = {}
    for change in changes:
        path = parse_path(change.path)
        name = str(path) if path.key is None else path.element
        groups.setdefault(name, []).append((path, change))
    operations: list[PatchOperation] = []
    added: dict[str, list[dict[str, Any]]] = {}
    for parts in groups.values():
        path = parts[0][0]
        exists = any(change.before is not None for _, change in parts)
        if path.key is None or exists:
            operations += _patch_existing_element(parts)
        elif element := _make_new_element(parts):
            added.setdefault(path.attribute_path, []).append(element)
    return operations + [
        {"op": "add", "path": path, "value": values} for path, values in added.items()
    ]
