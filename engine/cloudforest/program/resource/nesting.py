"""Resources: nested as on the wire, flat as mappings see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudforest.model.provisioning import Flat
from cloudforest.program.faults import MappingFault
from cloudforest.program.resource.path import (
    CORE_PREFIX,
    Path,
    parse_path,
    plain_value,
    wire_value,
)


def core_schema(resource_type: str) -> str:
    """Return the schema URN of a resource type; those of RFC 7643 are the IETF's."""
    if resource_type in {"User", "Group"}:
        return CORE_PREFIX + resource_type
    return f"urn:cloudforest:2.0:{resource_type}"


def _chosen(values: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    """Return the one of several values that the path chooses; make it if need be."""
    key = path.key or ""
    for each in values:
        if each.get(key) == path.wanted:
            return each
    values.append({key: path.wanted})
    return values[-1]


def _put(resource: dict[str, Any], path: Path, value: Any) -> None:
    holder = resource if path.schema is None else resource.setdefault(path.schema, {})
    if path.sub is None:
        holder[path.attribute] = value
        return
    inner = holder.setdefault(path.attribute, {} if path.key is None else [])
    if isinstance(inner, list):
        inner = _chosen(inner, path)
    if not isinstance(inner, dict):
        raise MappingFault(str(path), f"{path.attribute} is mapped as a whole as well.")
    inner[path.sub] = value


def assemble(resource_type: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON resource, `schemas` included; None is absence."""
    present = [
        (parse_path(text), each) for text, each in flat.items() if each is not None
    ]
    schemas = dict.fromkeys(path.schema for path, _ in present if path.schema)
    resource: dict[str, Any] = {"schemas": [core_schema(resource_type), *schemas]}
    for path, value in sorted(present, key=lambda item: item[0].sub is not None):
        _put(resource, path, wire_value(path, value))
    return resource


def _get(holder: Any, name: str) -> Any:
    """Look an attribute up without regard to case (RFC 7643, 2.1)."""
    if not isinstance(holder, Mapping):
        return None
    if name in holder:
        return holder[name]
    lowered = name.lower()
    return next((holder[key] for key in holder if key.lower() == lowered), None)


def _is_chosen(value: Any, path: Path) -> bool:
    found = _get(value, path.key or "")
    if isinstance(found, str) and isinstance(path.wanted, str):
        return found.lower() == path.wanted.lower()
    return found is path.wanted


def _at(resource: Mapping[str, Any], path: Path) -> Any:
    holder = resource if path.schema is None else _get(resource, path.schema)
    value = _get(holder, path.attribute)
    if path.key is not None:
        several = value if isinstance(value, list) else []
        value = next((each for each in several if _is_chosen(each, path)), None)
    return plain_value(path, value) if path.sub is None else _get(value, path.sub)


def extract(resource: Mapping[str, Any], paths: Iterable[str]) -> Flat:
    """Return the values at the paths, keyed by the path as given.

    What is absent, null or an empty list is left out.
    """
    found = ((path, _at(resource, parse_path(path))) for path in paths)
    return {path: value for path, value in found if value not in (None, [])}
