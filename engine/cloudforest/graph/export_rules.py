"""Documents put back into the schema that they came from.

Only what differs from what `reading` makes of the schema is changed: a document that
was not edited changes nothing, and what has no equivalent here stays as it was.

A schema for a job that was never in Graph: everything else is put into it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cloudforest.base.errors import Refused
from cloudforest.graph.export_expressions import Spelling
from cloudforest.graph.export_mappings import (
    Context,
    Warnings,
    new_mapping,
    put_mapping,
)
from cloudforest.graph.import_rules import ReadRule, read
from cloudforest.graph.schema import Schema, typed
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Registration, Scope


@dataclass(frozen=True)
class Exported:
    """`warnings` are sentences on what Graph has no place for."""

    schema: dict[str, Any]
    warnings: tuple[str, ...]


def put(base: dict[str, Any], name: str, registration: Registration) -> Exported:
    """Return the schema with what the jobs of its rules say now.

    `name` is the one that it was imported under. Raises Refused where a document says
    what Graph can't.
    """
    schema, shape, warnings = copy.deepcopy(base), typed(base), Warnings()
    for rule in read(shape, name):
        job = registration.job(rule.job)
        if job is not None:
            raw = schema["synchronizationRules"][rule.position]
            _put_rule(raw, rule, registration, Context(_spelling(shape), warnings), job)
        elif rule.mappings:
            warnings.say(f"There is no job {rule.job}, so its rule stays as it was.")
    return Exported(schema, tuple(warnings))


def _spelling(shape: Schema) -> Spelling:
    """Write attributes as the schema's directories do; programs hold lower case."""
    known = {
        attribute.name.lower(): attribute.name
        for directory in shape.directories or ()
        for each in directory.objects or ()
        for attribute in each.attributes or ()
        if attribute.name
    }
    return lambda name: known.get(name.lower(), name)


def _put_rule(
    raw: dict[str, Any],
    rule: ReadRule,
    registration: Registration,
    context: Context,
    job: Job,
) -> None:
    scope = next(each for each in registration.scopes if each.name == job.scope)
    _put_where(raw, rule, scope)
    wanted = {
        each.source_object_name: each
        for each in registration.mappings
        if each.name in job.mappings
    }
    for before in rule.mappings:
        mapping = wanted.pop(before.kind, None)
        if mapping is None:
            _disable(raw["objectMappings"], before.kind)
        else:
            held = raw["objectMappings"][before.position]
            put_mapping(held, before, mapping, scope, context)
    if wanted:
        raw["objectMappings"] = [
            *(raw.get("objectMappings") or ()),
            *(new_mapping(wanted[each], scope, context) for each in sorted(wanted)),
        ]


def _disable(mappings: Iterable[dict[str, Any]], kind: str) -> None:
    """Disable all that map a type: a second one would take the first one's place."""
    for each in mappings:
        if (each.get("sourceObjectName") or "").lower() == kind:
            each["enabled"] = False


def _put_where(raw: dict[str, Any], rule: ReadRule, scope: Scope) -> None:
    units, was = scope.organizational_units, rule.scope["organizationalUnits"]
    listed = [] if units == "all" else [each for each in units if isinstance(each, str)]
    if scope.excepted or len(listed) < len([] if units == "all" else units):
        raise Refused(
            f"The scope {scope.name} takes one level of an organizational unit, or all "
            "but some of it, and a rule of Graph takes whole subtrees; name these."
        )
    moved = not _same(listed, [] if was == "all" else was)
    if moved:
        inner = raw.get("containerFilter") or {}
        raw["containerFilter"] = {**inner, "includedContainers": listed}
    joined = not _same(scope.groups, rule.scope.get("groups", ()))
    if joined:
        inner = raw.get("groupFilter") or {}
        raw["groupFilter"] = {**inner, "includedGroups": list(scope.groups)}
    if (moved or joined) and listed and scope.groups:
        raise Refused(
            f"The scope {scope.name} has organizational units and groups, and a rule "
            "of Graph takes one of the two; keep one of them."
        )
    if scope.nested_groups:
        raise Refused(
            f"The scope {scope.name} takes nested groups, and Graph follows none; "
            "name the groups that are meant."
        )


def _same(names: Iterable[str], was: Iterable[str]) -> bool:
    return sorted(names) == sorted(was)


SOURCE = "Active Directory"
_ATTRIBUTE: dict[str, Any] = {
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


def skeleton(job: Job, program: JobProgram) -> dict[str, Any]:
    """Return both directories with the attributes that are mapped, and one empty rule.

    Ids are left out: only the service knows which ones it recognises.
    """
    mappings = program.mappings
    sources = [(each.source, each.reads) for each in mappings]
    targets = [(each.target, (r.target for r in each.rules)) for each in mappings]
    return {
        "directories": [_directory(SOURCE, sources), _directory(job.target, targets)],
        "synchronizationRules": [
            {
                "editable": True,
                "metadata": [],
                "name": job.name,
                "objectMappings": [],
                "priority": 1,
                "sourceDirectoryName": SOURCE,
                "targetDirectoryName": job.target,
            }
        ],
    }


def _directory(
    name: str, objects: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, Any]:
    return {
        "name": name,
        "objects": [
            {
                "name": each,
                "metadata": [],
                "attributes": [{**_ATTRIBUTE, "name": one} for one in attributes],
            }
            for each, attributes in objects
        ],
    }
