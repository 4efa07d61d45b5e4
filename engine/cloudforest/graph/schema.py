"""Read the parts of Graph's synchronizationSchema that the language has a word for.

Names and types are those of Graph's metadata. Every member may be missing or null.
Members that are not named here stay in the JSON.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scim.path import ENTERPRISE, canonical_path
from cloudforest.program.scim.schema import list_writable_names

_ENTRA_NAMES_TO_PATHS = (
    ("accountEnabled", "active"),
    ("city", 'addresses[type eq "work"].locality'),
    ("country", 'addresses[type eq "work"].country'),
    ("department", f"{ENTERPRISE}:department"),
    ("displayName", "displayName"),
    ("division", f"{ENTERPRISE}:division"),
    ("employeeId", f"{ENTERPRISE}:employeeNumber"),
    ("facsimileTelephoneNumber", 'phoneNumbers[type eq "fax"].value'),
    ("givenName", "name.givenName"),
    ("jobTitle", "title"),
    ("mail", 'emails[type eq "work"].value'),
    ("manager", f"{ENTERPRISE}:manager"),
    ("member", "members"),
    ("members", "members"),
    ("mobile", 'phoneNumbers[type eq "mobile"].value'),
    ("postalCode", 'addresses[type eq "work"].postalCode'),
    ("preferredLanguage", "preferredLanguage"),
    ("sourceAnchorBinary", "externalId"),
    ("state", 'addresses[type eq "work"].region'),
    ("streetAddress", 'addresses[type eq "work"].streetAddress'),
    ("surname", "name.familyName"),
    ("telephoneNumber", 'phoneNumbers[type eq "work"].value'),
    ("title", "title"),
    ("userPrincipalName", "userName"),
)
"""The name in Entra ID, and the SCIM path of the same attribute (RFC 7643, 4)."""

_PATH_BY_ENTRA_NAME = {name.casefold(): path for name, path in _ENTRA_NAMES_TO_PATHS}
_ENTRA_NAME_BY_PATH = {path: name for name, path in reversed(_ENTRA_NAMES_TO_PATHS)}
_CORE_NAMES = list_writable_names()


class GraphStruct(msgspec.Struct, frozen=True, rename="camel"):
    """A type of Graph; unlike our own types, it ignores unknown members."""


class Operand(GraphStruct, frozen=True):
    values: tuple[str, ...] | None = None


class Clause(GraphStruct, frozen=True):
    source_operand_name: str | None = None
    operator_name: str | None = None
    target_operand: Operand | None = None


class Group(GraphStruct, frozen=True):
    name: str | None = None
    clauses: tuple[Clause, ...] | None = None


class Filter(GraphStruct, frozen=True):
    groups: tuple[Group, ...] | None = None
    input_filter_groups: tuple[Group, ...] | None = None
    category_filter_groups: tuple[Group, ...] | None = None


class Source(GraphStruct, frozen=True):
    expression: str | None = None
    name: str | None = None
    type: str | None = None


class AttributeMapping(GraphStruct, frozen=True):
    target_attribute_name: str | None = None
    source: Source | None = None
    default_value: str | None = None
    flow_type: str | None = None
    flow_behavior: str | None = None
    export_missing_references: bool | None = None
    matching_priority: int | None = None


class ObjectMapping(GraphStruct, frozen=True):
    name: str | None = None
    enabled: bool | None = None
    flow_types: str | None = None
    source_object_name: str | None = None
    target_object_name: str | None = None
    scope: Filter | None = None
    attribute_mappings: tuple[AttributeMapping, ...] | None = None


class Containers(GraphStruct, frozen=True):
    included_containers: tuple[str, ...] | None = None


class Groups(GraphStruct, frozen=True):
    included_groups: tuple[str, ...] | None = None


class Rule(GraphStruct, frozen=True):
    id: str | None = None
    name: str | None = None
    editable: bool | None = None
    source_directory_name: str | None = None
    target_directory_name: str | None = None
    container_filter: Containers | None = None
    group_filter: Groups | None = None
    object_mappings: tuple[ObjectMapping, ...] | None = None


class Attribute(GraphStruct, frozen=True):
    name: str | None = None


class Object(GraphStruct, frozen=True):
    attributes: tuple[Attribute, ...] | None = None


class Directory(GraphStruct, frozen=True):
    objects: tuple[Object, ...] | None = None


class Schema(GraphStruct, frozen=True):
    directories: tuple[Directory, ...] | None = None
    synchronization_rules: tuple[Rule, ...] | None = None


def parse_schema(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON of a schema; raises Misconfigured for other data."""
    try:
        raw = msgspec.json.decode(data)
        msgspec.convert(raw, Schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misconfigured(
            f"{name} is not a synchronizationSchema of Microsoft Graph ({error}). Save "
            "the answer to GET …/synchronization/jobs/ID/schema."
        ) from error
    if "synchronizationRules" not in raw:
        raise Misconfigured(
            f"{name} is not a synchronizationSchema: it has no `synchronizationRules`. "
            "Save the answer to GET …/synchronization/jobs/ID/schema."
        )
    return dict(raw)


def to_schema(raw: dict[str, Any]) -> Schema:
    return msgspec.convert(raw, Schema)


def require_rules(schema: Schema, name: str) -> None:
    """Raise Misconfigured for a schema without rules, or a rule that maps nothing."""
    if not schema.synchronization_rules:
        raise Misconfigured(
            f"`synchronizationRules` in {name} is empty. Save the schema of a job that "
            "is set up."
        )
    for position, rule in enumerate(schema.synchronization_rules):
        if not rule.object_mappings:
            raise Misconfigured(
                f"`synchronizationRules[{position}]` in {name} has no "
                "`objectMappings`. Remove that rule, or save the schema of a job that "
                "is set up."
            )


def find_scim_path(name: str) -> str | None:
    """Return the SCIM path of a target attribute, which may have a name of Entra ID."""
    try:
        path = canonical_path(name)
    except SyntaxFault:
        path = ""
    if (
        path.startswith("urn:")
        or path.partition(".")[0].partition("[")[0] in _CORE_NAMES
    ):
        return path
    return _PATH_BY_ENTRA_NAME.get(name.casefold())


def is_entra_name(name: str) -> bool:
    """Tell whether a target attribute has a name that only Entra ID uses."""
    path = _PATH_BY_ENTRA_NAME.get(name.casefold())
    return path is not None and canonical_path(name) != path


def to_entra_name(path: str) -> str:
    """Return the name in Entra ID for a SCIM path; the path where it has none."""
    return _ENTRA_NAME_BY_PATH.get(path, path)
