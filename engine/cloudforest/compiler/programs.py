"""Compile scopes and mappings to programs: data for agents and control plane."""

from __future__ import annotations

import msgspec
from msgspec import structs

from cloudforest.base.values import canonical_json
from cloudforest.model.program import (
    Attribute,
    AttributeProgram,
    Call,
    CompiledAttributeMapping,
    Constant,
    Expression,
    JobProgram,
    ObjectType,
    ScopeProgram,
    TypeFilter,
)
from cloudforest.model.registration import (
    AttributeMapping,
    Extensions,
    Mapping,
    OneLevel,
    Registration,
    Scope,
)
from cloudforest.program.expressions.analysis import (
    REDACT,
    find_expression_attributes,
    replace_default_domain,
    uses_function,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.templates import parse_template
from cloudforest.program.scim.path import MANAGER, parse_path
from cloudforest.program.scoping.filter_syntax import parse_filter

REFERENCE_TARGETS = {MANAGER, "members"}
REFERENCE_FUNCTIONS = {"CRef", "Coalesce", "Item", "IgnoreFlowIfNullOrEmpty"}
"""Functions that return a reference unchanged."""


def add_programs(registration: Registration) -> Registration:
    """Return the registration with the program of each of its jobs."""
    scopes = {each.name: each for each in registration.scopes}
    domain = registration.tenant.default_domain or ""
    mappings = {each.name: each for each in registration.mappings}
    extensions = {each.name: each.extensions for each in registration.targets}
    programs: dict[str, JobProgram] = {}
    for job in registration.jobs:
        mapped = tuple(
            make_attribute_program(mappings[name], extensions[job.target], domain)
            for name in job.mappings
        )
        types = tuple(sorted({each.source for each in mapped}))
        scope = make_scope_program(scopes[job.scope], types)
        programs[job.name] = JobProgram(scope=scope, mappings=mapped)
    return structs.replace(registration, programs=programs)


def make_scope_program(scope: Scope, types: tuple[ObjectType, ...]) -> ScopeProgram:
    units = scope.organizational_units
    named = () if isinstance(units, str) else units
    subtrees = tuple(each for each in named if isinstance(each, str))
    return ScopeProgram(
        types=types,
        organizational_units=None if isinstance(units, str) else subtrees,
        one_level=tuple(each.one_level for each in named if isinstance(each, OneLevel)),
        excepted=scope.excepted,
        groups=scope.groups,
        nested_groups=scope.nested_groups,
        filters={
            each: TypeFilter(text=text, tree=parse_filter(text))
            for each in types
            if (text := scope.filters.get(each)) is not None
        },
    )


def _is_reference(expression: Expression | None) -> bool:
    """Tell whether an expression gives a reference, not its text."""
    match expression:
        case Attribute():
            return True
        case Call(function=name, arguments=arguments) if name in REFERENCE_FUNCTIONS:
            return any(_is_reference(each) for each in arguments)
        case _:
            return False


def _parse_source(entry: AttributeMapping) -> tuple[str, Expression]:
    if entry.source is not None:
        return entry.source, parse_expression(entry.source)
    if entry.template is not None:
        return entry.template, parse_template(entry.template)
    return canonical_json(entry.constant).decode(), Constant(value=entry.constant)


def _make_rule(
    target: str, entry: AttributeMapping, extensions: Extensions, domain: str
) -> CompiledAttributeMapping:
    text, parsed = _parse_source(entry)
    expression = replace_default_domain(parsed, domain)
    path = parse_path(target)
    declared = extensions.get(path.schema or "", {}).get(path.name_in_schema)
    takes_reference = target in REFERENCE_TARGETS or (
        declared is not None and declared.type == "reference"
    )
    reference = takes_reference and _is_reference(expression)
    several = declared.multi_valued if declared else path.is_whole_multi_valued
    return CompiledAttributeMapping(
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
        multi=target == "members" if reference else several,
        type=declared.type if declared else None,
        sensitive=entry.sensitive or uses_function(expression, REDACT),
    )


def make_attribute_program(
    mapping: Mapping, extensions: Extensions, domain: str
) -> AttributeProgram:
    """Return the program of a mapping for a target with these extensions.

    `domain` is the tenant's default domain, for DefaultDomain.
    """
    rules = tuple(
        _make_rule(target, entry, extensions, domain)
        for target, entry in sorted(mapping.attribute_mappings.items())
    )
    reads = {
        name for rule in rules for name in find_expression_attributes(rule.expression)
    }
    return AttributeProgram(
        mapping=mapping.name,
        source=msgspec.convert(mapping.source_object_name, ObjectType),
        target=mapping.target_object_name,
        rules=rules,
        reads=tuple(sorted(reads)),
        deprovision=mapping.deprovision,
    )
