"""The attributes of the standard SCIM resource types (RFC 7643, 3.1 and 4.1 to 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cloudforest.program.scim.path import ENTERPRISE, ScimPath

BOOLEAN_PARTS = frozenset({"primary"})
_USER_TEXTS = (
    "userName displayName nickName profileUrl title userType preferredLanguage locale"
    " timezone password"
)
_USER_PLURALS = "emails phoneNumbers ims photos entitlements roles x509Certificates"
PathMistake = Literal["foreign", "unknown", "immutable", "part"]
"""Why a path cannot be written.

`foreign`: another resource type has the attribute; `unknown`: the schema lacks it;
`immutable`: only the target writes it; `part`: it lacks the sub-attribute."""


@dataclass(frozen=True)
class ScimAttribute:
    """An attribute; `parts` are its sub-attributes."""

    parts: frozenset[str] = frozenset()
    multi_valued: bool = False
    read_only: bool = False
    boolean: bool = False


_SIMPLE = ScimAttribute()
_BOOLEAN = ScimAttribute(boolean=True)
_READ_ONLY = ScimAttribute(read_only=True)


def _make_complex(parts: str, *, many: bool = False) -> ScimAttribute:
    return ScimAttribute(frozenset(parts.split()), multi_valued=many)


_PLURAL_ATTRIBUTE = _make_complex("value display type primary", many=True)
_COMMON_ATTRIBUTES = {
    "externalId": _SIMPLE,
    "id": _READ_ONLY,
    "meta": _READ_ONLY,
    "schemas": _READ_ONLY,
}
_USER_SCHEMA = {
    **_COMMON_ATTRIBUTES,
    **dict.fromkeys(_USER_TEXTS.split(), _SIMPLE),
    **dict.fromkeys(_USER_PLURALS.split(), _PLURAL_ATTRIBUTE),
    "active": _BOOLEAN,
    "name": _make_complex(
        "formatted familyName givenName middleName honorificPrefix honorificSuffix"
    ),
    "addresses": _make_complex(
        "formatted streetAddress locality region postalCode country type primary",
        many=True,
    ),
    "groups": ScimAttribute(frozenset({"value"}), multi_valued=True, read_only=True),
}
_ENTERPRISE_SCHEMA = {
    **dict.fromkeys(
        ("employeeNumber", "costCenter", "organization", "division", "department"),
        _SIMPLE,
    ),
    "manager": ScimAttribute(frozenset({"value", "$ref", "displayName"})),
}
_GROUP_SCHEMA = {
    **_COMMON_ATTRIBUTES,
    "displayName": _SIMPLE,
    "members": _make_complex("value $ref type display", many=True),
}

SchemaAttributes = dict[str, ScimAttribute]

_RESOURCES: dict[str, dict[str | None, SchemaAttributes]] = {
    "User": {None: _USER_SCHEMA, ENTERPRISE: _ENTERPRISE_SCHEMA},
    "Group": {None: _GROUP_SCHEMA},
}


def get_schemas(resource: str) -> dict[str | None, SchemaAttributes]:
    """Return the attributes of the known schemas of a resource type.

    Only the target knows its own extensions and resource types.
    """
    return _RESOURCES.get(resource, {})


def find_target_attribute(path: ScimPath, resource: str) -> ScimAttribute | None:
    """Return the attribute of a path; None if it is unknown."""
    return get_schemas(resource).get(path.schema, {}).get(path.attribute)


def find_path_mistake(path: ScimPath, resource: str) -> PathMistake | None:
    """Return why a resource of the type cannot be written at a path, if known."""
    if path.schema not in get_schemas(resource):
        is_foreign = path.schema == ENTERPRISE and resource in _RESOURCES
        return "foreign" if is_foreign else None
    attribute = find_target_attribute(path, resource)
    if attribute is None:
        return "unknown"
    if attribute.read_only:
        return "immutable"
    return "part" if {path.sub, path.key} - {None} - attribute.parts else None


def list_writable_names() -> frozenset[str]:
    """Return the names of all writable core attributes."""
    return frozenset(
        name
        for schemas in _RESOURCES.values()
        for name, attribute in schemas[None].items()
        if not attribute.read_only
    )
