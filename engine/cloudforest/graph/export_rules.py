"""Write documents back into the schema that they came from, or into a new one.

Only differences from the imported documents are written: a document that was not
edited changes nothing, and parts of the schema without equivalent stay.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cloudforest.base.errors import Refused
from cloudforest.graph.export_expressions import Spelling
from cloudforest.graph.export_mappings import (
    ExportContext,
    ExportWarnings,
    make_object_mapping,
    update_object_mapping,
)
from cloudforest.graph.import_rules import ImportedRule, import_rules
from cloudforest.graph.schema import Schema, to_schema
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Registration, Scope

SOURCE_DIRECTORY = "Active Directory"
_NEW_ATTRIBUTE: dict[str, Any] = {
    "anchor": False,
    "caseExact": False,
    "defaultValue": None,
    "metadata": [],
    "multivalued": False,
    "mutability": "ReadWrite",
    "referencedObjects": [],
    "required": False,
    "type": "String",
}


@dataclass(frozen=True)
class ExportedSchema:
    """`warnings` are sentences on what Graph cannot express."""

    schema: dict[str, Any]
    warnings: tuple[str, ...]


def _make_spelling(schema: Schema) -> Spelling:
    """Spell attributes as the schema's directories do; programs hold lower case."""
    known = {
        attribute.name.lower(): attribute.name
        for directory in schema.directories or ()
        for each in directory.objects or ()
        for attribute in each.attributes or ()
        if attribute.name
    }
    return lambda name: known.get(name.lower(), name)


def _disable_mappings(mappings: Iterable[dict[str, Any]], kind: str) -> None:
    """Disable all mappings of a type: a second one would replace the first."""
    for each in mappings:
        if (each.get("sourceObjectName") or "").lower() == kind:
            each["enabled"] = False


def _has_same_names(names: Iterable[str], imported: Iterable[str]) -> bool:
    return sorted(names) == sorted(imported)


def _update_scope(raw: dict[str, Any], rule: ImportedRule, scope: Scope) -> None:
    units, previous = scope.organizational_units, rule.scope["organizationalUnits"]
    listed = [] if units == "all" else [each for each in units if isinstance(each, str)]
    if scope.excepted or len(listed) < len([] if units == "all" else units):
        raise Refused(
            f"The scope {scope.name} has `oneLevel` or `except`, but a rule of Graph "
            "only takes whole subtrees. Name these instead."
        )
    units_differ = not _has_same_names(listed, [] if previous == "all" else previous)
    if units_differ:
        inner = raw.get("containerFilter") or {}
        raw["containerFilter"] = {**inner, "includedContainers": listed}
    groups_differ = not _has_same_names(scope.groups, rule.scope.get("groups", ()))
    if groups_differ:
        inner = raw.get("groupFilter") or {}
        raw["groupFilter"] = {**inner, "includedGroups": list(scope.groups)}
    if (units_differ or groups_differ) and listed and scope.groups:
        raise Refused(
            f"The scope {scope.name} has organizational units and groups, but a rule "
            "of Graph takes one of the two. Keep one of them."
        )
    if scope.nested_groups:
        raise Refused(
            f"The scope {scope.name} has `nestedGroups`, but Graph does not follow "
            "nested groups. Name each group instead."
        )


def _update_rule(
    raw: dict[str, Any],
    rule: ImportedRule,
    registration: Registration,
    context: ExportContext,
    job: Job,
) -> None:
    scope = next(each for each in registration.scopes if each.name == job.scope)
    _update_scope(raw, rule, scope)
    remaining = {
        each.source_object_name: each
        for each in registration.mappings
        if each.name in job.mappings
    }
    for before in rule.mappings:
        mapping = remaining.pop(before.kind, None)
        if mapping is None:
            _disable_mappings(raw["objectMappings"], before.kind)
        else:
            previous = raw["objectMappings"][before.position]
            update_object_mapping(previous, before, mapping, scope, context)
    if remaining:
        raw["objectMappings"] = [
            *(raw.get("objectMappings") or ()),
            *(
                make_object_mapping(remaining[each], scope, context)
                for each in sorted(remaining)
            ),
        ]


def export_jobs(
    base: dict[str, Any], name: str, registration: Registration
) -> ExportedSchema:
    """Return the schema with the current documents of its jobs.

    `name` is the name that it was imported under. Raises Refused for what Graph cannot
    express.
    """
    schema, typed, warnings = copy.deepcopy(base), to_schema(base), ExportWarnings()
    for rule in import_rules(typed, name):
        job = registration.find_job(rule.job)
        if job is not None:
            raw = schema["synchronizationRules"][rule.position]
            _update_rule(
                raw,
                rule,
                registration,
                ExportContext(_make_spelling(typed), warnings),
                job,
            )
        elif rule.mappings:
            warnings.add(f"The tree has no job {rule.job}, so its rule is unchanged.")
    return ExportedSchema(schema, tuple(warnings))


def _make_directory(
    name: str, objects: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, Any]:
    return {
        "name": name,
        "objects": [
            {
                "name": each,
                "metadata": [],
                "attributes": [{**_NEW_ATTRIBUTE, "name": one} for one in attributes],
            }
            for each, attributes in objects
        ],
    }


def make_skeleton(job: Job, program: JobProgram) -> dict[str, Any]:
    """Return a new schema: two directories with the mapped attributes, one empty rule.

    Ids are left out, as only the service knows which ones it recognises.
    """
    mappings = program.mappings
    sources = [(each.source, each.reads) for each in mappings]
    targets = [(each.target, (r.target for r in each.rules)) for each in mappings]
    return {
        "directories": [
            _make_directory(SOURCE_DIRECTORY, sources),
            _make_directory(job.target, targets),
        ],
        "synchronizationRules": [
            {
                "editable": True,
                "metadata": [],
                "name": job.name,
                "objectMappings": [],
                "priority": 1,
                "sourceDirectoryName": SOURCE_DIRECTORY,
                "targetDirectoryName": job.target,
            }
        ],
    }
