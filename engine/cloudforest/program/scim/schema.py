"""The attributes of SCIM's own resource types (RFC 7643, 4.1 to 4.3 and 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cloudforest.program.scim.path import ENTERPRISE, Path


@dataclass(frozen=True)
class ScimAttribute:
    """`parts` are its sub-attributes; `many` means that it has several values."""

    parts: frozenset[str] = frozenset()
    many: bool = False
    read_only: bool = False
    boolean: bool = False


_SIMPLE = ScimAttribute()
_BOOLEAN = ScimAttribute(boolean=True)
_READ_ONLY = ScimAttribute(read_only=True)
BOOLEAN_PARTS = frozenset({"primary"})


def _complex(parts: str, *, many: bool = False) -> ScimAttribute:
    return ScimAttribute(frozenset(parts.split()), many=many)


_VALUES = _complex("value display type primary", many=True)
_COMMON = {
    "externalId": _SIMPLE,
    "id": _READ_ONLY,
    "meta": _READ_ONLY,
    "schemas": _READ_ONLY,
}
_TEXTS = (
    "userName displayName nickName profileUrl title userType preferredLanguage locale"
    " timezone password"
)
_PLURAL = "emails phoneNumbers ims photos entitlements roles x509Certificates"
_USER = {
    **_COMMON,
    **dict.fromkeys(_TEXTS.split(), _SIMPLE),
    **dict.fromkeys(_PLURAL.split(), _VALUES),
    "active": _BOOLEAN,
    "name": _complex(
        "formatted familyName givenName middleName honorificPrefix honorificSuffix"
    ),
    "addresses": _complex(
        "formatted streetAddress locality region postalCode country type primary",
        many=True,
    ),
    "groups": ScimAttribute(frozenset({"value"}), many=True, read_only=True),
}
_ENTERPRISE = {
    **dict.fromkeys(
        ("employeeNumber", "costCenter", "organization", "division", "department"),
        _SIMPLE,
    ),
    "manager": ScimAttribute(frozenset({"value", "$ref", "displayName"})),
}
_GROUP = {
    **_COMMON,
    "displayName": _SIMPLE,
    "members": _complex("value $ref type display", many=True),
}

Schema = dict[str, ScimAttribute]

_RESOURCES: dict[str, dict[str | None, Schema]] = {
    "User": {None: _USER, ENTERPRISE: _ENTERPRISE},
    "Group": {None: _GROUP},
}


def schema_of_path(resource: str, schema: str | None) -> Schema | None:
    """Return what a schema has for a resource type; None if that can't be known.

    An extension of the target's own is known to the target alone, and so is a resource
    type of its own.
    """
    return _RESOURCES.get(resource, {}).get(schema)


def known_schemas(resource: str) -> dict[str | None, Schema]:
    return _RESOURCES.get(resource, {})


Mistake = Literal["foreign", "unknown", "immutable", "part"]
"""An attribute of another resource's, of no one's, the target's own, or no part."""


def target_attribute(path: Path, resource: str) -> ScimAttribute | None:
    """Return the attribute that a path leads to; None if nothing says what it is."""
    schema = schema_of_path(resource, path.schema)
    return schema.get(path.attribute) if schema else None


def mistake(path: Path, resource: str) -> Mistake | None:
    """Say why resources of a type can't be written at a path, as far as is known."""
    if schema_of_path(resource, path.schema) is None:
        is_foreign = path.schema == ENTERPRISE and resource in _RESOURCES
        return "foreign" if is_foreign else None
    attribute = target_attribute(path, resource)
    if attribute is None:
        return "unknown"
    if attribute.read_only:
        return "immutable"
    return "part" if {path.sub, path.key} - {None} - attribute.parts else None


def writable_names() -> frozenset[str]:
    """Return the names of all core attributes that may be written."""
    return frozenset(
        name
        for schemas in _RESOURCES.values()
        for name, attribute in schemas[None].items()
        if not attribute.read_only
    )
