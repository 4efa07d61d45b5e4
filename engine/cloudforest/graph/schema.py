"""The parts of Graph's synchronizationSchema that have a meaning here.

Names and types are those of Graph's metadata; every member may be missing or null, and
members that are not named here are left where they are.

Names of target attributes: Graph's, where the target is Entra ID, and SCIM's.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scim.path import ENTERPRISE, canonical_path
from cloudforest.program.scim.schema import list_writable_names


class GraphStruct(msgspec.Struct, frozen=True, rename="camel"):
    """Unlike our own values, one of Graph's may have members that we don't know."""


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
    """Return the JSON of a schema as it is; raises Misconfigured if it is none."""
    try:
        raw = msgspec.json.decode(data)
        msgspec.convert(raw, Schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misconfigured(
            f"{name} is not a synchronizationSchema of Microsoft Graph ({error}); save "
            "the answer to GET …/synchronization/jobs/ID/schema."
        ) from error
    if "synchronizationRules" not in raw:
        raise Misconfigured(
            f"{name} has no `synchronizationRules`, so it is not a "
            "synchronizationSchema; save the answer to GET …/jobs/ID/schema."
        )
    return dict(raw)


def to_schema(raw: dict[str, Any]) -> Schema:
    return msgspec.convert(raw, Schema)


def require_rules(schema: Schema, name: str) -> None:
    """Raise Misconfigured where there is no rule, or one that maps nothing."""
    if not schema.synchronization_rules:
        raise Misconfigured(
            f"`synchronizationRules` in {name} is empty, so there is nothing to import;"
            " save the schema of a job that has been set up."
        )
    for position, rule in enumerate(schema.synchronization_rules):
        if not rule.object_mappings:
            raise Misconfigured(
                f"`synchronizationRules[{position}]` in {name} has no `objectMappings`,"
                " so there is nothing to import; take that rule out, or save the schema"
                " of a job that has been set up."
            )


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
"""Entra ID's name, and the SCIM path for the same (RFC 7643, 4)."""

_PATH_BY_ENTRA_NAME = {name.casefold(): path for name, path in _ENTRA_NAMES_TO_PATHS}
_ENTRA_NAME_BY_PATH = {path: name for name, path in reversed(_ENTRA_NAMES_TO_PATHS)}
_CORE_NAMES = list_writable_names()


def find_scim_path(name: str) -> str | None:
    """Return the SCIM path that a target attribute is or stands for, if any."""
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
    """Tell whether a target attribute only stands for a SCIM path."""
    path = _PATH_BY_ENTRA_NAME.get(name.casefold())
    return path is not None and canonical_path(name) != path


def to_entra_name(path: str) -> str:
    """Return Entra ID's name for a SCIM path, or the path where it has none."""
    return _ENTRA_NAME_BY_PATH.get(path, path)
