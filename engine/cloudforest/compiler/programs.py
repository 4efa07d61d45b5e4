"""Scopes and mappings to programs: what agent and service need to know, as data."""

from __future__ import annotations

import msgspec
from msgspec import structs

from cloudforest.base.canonical import canonical_json
from cloudforest.model.program import (
    Attribute,
    AttributeProgram,
    Expression,
    JobProgram,
    Literally,
    ObjectType,
    Rule,
    ScopeProgram,
    TypeFilter,
)
from cloudforest.model.registration import (
    AttributeMapping,
    Job,
    Mapping,
    Registration,
    Scope,
)
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.expressions.template import parse_template
from cloudforest.program.scoping.scim_filter import parse_filter

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
REFERENCES = {f"{ENTERPRISE}manager", "members"}
ALWAYS_SENSITIVE = {"password"}


def with_programs(registration: Registration) -> Registration:
    """Return the registration with the program of each of its jobs."""
    scopes = {each.name: each for each in registration.scopes}
    programs = {each.name: attribute_program(each) for each in registration.mappings}
    jobs = {
        job.name: _program(job, scopes[job.scope], programs)
        for job in registration.jobs
    }
    return structs.replace(registration, programs=jobs)


def _program(
    job: Job, scope: Scope, programs: dict[str, AttributeProgram]
) -> JobProgram:
    mappings = tuple(programs[name] for name in job.mappings)
    types = tuple(sorted({each.source for each in mappings}))
    return JobProgram(scope=scope_program(scope, types), mappings=mappings)


def scope_program(scope: Scope, types: tuple[ObjectType, ...]) -> ScopeProgram:
    units = scope.organizational_units
    return ScopeProgram(
        types=types,
        organizational_units=None if isinstance(units, str) else units,
        groups=scope.groups,
        nested_groups=scope.nested_groups,
        filters={
            each: TypeFilter(text=text, tree=parse_filter(text))
            for each in types
            if (text := scope.filters.get(each)) is not None
        },
    )


def attribute_program(mapping: Mapping) -> AttributeProgram:
    entries = sorted(mapping.attribute_mappings.items())
    rules = tuple(_rule(target, entry) for target, entry in entries)
    reads = {name for rule in rules for name in attributes_of(rule.expression)}
    return AttributeProgram(
        mapping=mapping.name,
        source=msgspec.convert(mapping.source_object_name, ObjectType),
        target=mapping.target_object_name,
        rules=rules,
        reads=tuple(sorted(reads)),
        deprovision=mapping.deprovision,
    )


def _rule(target: str, entry: AttributeMapping) -> Rule:
    text, expression = _expression(entry)
    reference = target in REFERENCES and isinstance(expression, Attribute)
    return Rule(
        target=target,
        expression=expression,
        text=text,
        matching_priority=entry.matching_priority,
        flow_type=entry.flow_type,
        flow_behavior=entry.flow_behavior,
        export_missing_references=entry.export_missing_references,
        default_value=entry.default_value,
        when_null=entry.when_null,
        reference=reference,
        multi=reference and target == "members",
        sensitive=entry.sensitive or target in ALWAYS_SENSITIVE,
    )


def _expression(entry: AttributeMapping) -> tuple[str, Expression]:
    if entry.source is not None:
        return entry.source, parse_expression(entry.source)
    if entry.template is not None:
        return entry.template, parse_template(entry.template)
    return canonical_json(entry.constant).decode(), Literally(value=entry.constant)
