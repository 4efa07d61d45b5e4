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


def _update_scope(raw: dict[str, Any], rule: ImportedRule, scope: Scope) -> None:
    written, previous = scope.organizational_units, rule.scope["organizationalUnits"]
    units = () if isinstance(written, str) else written
    listed = [each for each in units if isinstance(each, str)]
    if scope.excepted or len(listed) < len(units):
        raise Refused(
            f"The scope {scope.name} has `oneLevel` or `except`, but a rule of Graph "
            "only takes whole subtrees. Name these instead."
        )
    units_differ = sorted(listed) != sorted([] if previous == "all" else previous)
    if units_differ:
        inner = raw.get("containerFilter") or {}
        raw["containerFilter"] = {**inner, "includedContainers": listed}
    groups_differ = sorted(scope.groups) != sorted(rule.scope.get("groups", ()))
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
            # All of this type: a second one would replace the first.
            for each in raw["objectMappings"]:
                if (each.get("sourceObjectName") or "").lower() == before.kind:
                    each["enabled"] = False
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
    schema, typed = copy.deepcopy(base), to_schema(base)
    context = ExportContext(_make_spelling(typed))
    for rule in import_rules(typed, name):
        job = registration.find_job(rule.job)
        if job is not None:
            raw = schema["synchronizationRules"][rule.position]
            _update_rule(raw, rule, registration, context, job)
        elif rule.mappings:
            context.warn(f"The tree has no job {rule.job}, so its rule is unchanged.")
    return ExportedSchema(schema, tuple(context.warnings))


def _make_object(name: str, attributes: Iterable[str]) -> dict[str, Any]:
    made = [{**_NEW_ATTRIBUTE, "name": each} for each in attributes]
    return {"name": name, "metadata": [], "attributes": made}


def make_skeleton(job: Job, program: JobProgram) -> dict[str, Any]:
    """Return a new schema: two directories with the mapped attributes, one empty rule.

    Ids are left out, as only the service knows which ones it recognises.
    """
    sources = [_make_object(each.source, each.reads) for each in program.mappings]
    targets = [
        _make_object(each.target, (rule.target for rule in each.rules))
        for each in program.mappings
    ]
    return {
        "directories": [
            {"name": SOURCE_DIRECTORY, "objects": sources},
            {"name": job.target, "objects": targets},
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
