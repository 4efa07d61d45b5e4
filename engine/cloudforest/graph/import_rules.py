"""Import a schema's rules as jobs, scopes and mappings.

Notes tell what has no equivalent. Positions are kept, so that an export can write each
change back to its place.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cloudforest.graph.import_attributes import (
    NoEquivalentError,
    convert_entry,
    require_readable,
)
from cloudforest.graph.schema import (
    AttributeMapping,
    Clause,
    Filter,
    ObjectMapping,
    Rule,
    Schema,
)
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.mapping.types import find_unmatchable_reason
from cloudforest.program.scim.path import parse_path
from cloudforest.program.scoping.dn import parse_dn, parse_dn_or_none
from cloudforest.program.scoping.filter_syntax import find_filter_mistakes, parse_filter
from cloudforest.program.scoping.graph_filter import (
    ClauseGroup,
    GraphClause,
    filter_from_graph,
)
from cloudforest.program.scoping.predicates import find_filter_attributes, write_filter

Entry = dict[str, Any]
"""An entry of `attributeMappings`."""
AD_NAME = "Active Directory"
SOURCE_KINDS = ("user", "group", "contact")
_RESOURCE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


@dataclass(frozen=True)
class ImportedMapping:
    """An object mapping of Graph; `entries` maps a SCIM path to position and entry.

    `missing_filter_reasons` tell why Graph's filter has no equivalent.
    """

    position: int
    name: str
    kind: str
    target: str
    entries: dict[str, tuple[int, Entry]]
    filter: str | None
    keeps_leavers: bool
    missing_filter_reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportedRule:
    """A rule of Graph; `scope` has `organizationalUnits` and perhaps `groups`.

    `heading` names the rule and its directories. `domain` is that of its first
    distinguished name.
    """

    position: int
    heading: str
    domain: str | None
    job: str
    scope: dict[str, Any]
    mappings: tuple[ImportedMapping, ...]
    notes: tuple[str, ...] = ()


def _list_dns(rule: Rule) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of organizational units and of groups, as written."""
    units, groups = rule.container_filter, rule.group_filter
    return (
        (units.included_containers or ()) if units else (),
        (groups.included_groups or ()) if groups else (),
    )


def _select_readable(texts: Iterable[str]) -> list[str]:
    """Return the valid distinguished names, each once."""
    return [each for each in dict.fromkeys(texts) if each and parse_dn_or_none(each)]


def _make_scope_fields(rule: Rule) -> dict[str, Any]:
    """Return `organizationalUnits` and `groups` of the scope."""
    units, groups = map(_select_readable, _list_dns(rule))
    return {
        "organizationalUnits": units or "all",
        **({"groups": groups} if groups else {}),
    }


def _convert_groups(groups: Sequence[ClauseGroup]) -> str | None:
    """Return the filter, or None for an empty one; raises NoEquivalentError."""
    try:
        tree = filter_from_graph(groups)
        if tree is None:
            return None
        text = write_filter(tree)
        mistake = next(find_filter_mistakes(text), None)
        if mistake is not None:
            raise NoEquivalentError(mistake.message.rstrip("."))
        require_readable(find_filter_attributes(parse_filter(text)))
    except SyntaxFault as fault:
        raise NoEquivalentError(fault.message.rstrip(".")) from fault
    return text


def _make_clause(written: Clause) -> GraphClause:
    operand = written.target_operand
    return GraphClause(
        attribute=written.source_operand_name or "",
        operator=written.operator_name or "",
        values=(operand.values or ()) if operand else (),
    )


def convert_filter(scope: Filter) -> tuple[str | None, tuple[str, ...]]:
    """Return the filter of an object mapping, and why it has no equivalent.

    Without a filter, both are empty. The reasons have no final dot.
    """
    groups = [
        tuple(map(_make_clause, each.clauses or ())) for each in scope.groups or ()
    ]
    single: list[Sequence[ClauseGroup]] = [[(one,)] for each in groups for one in each]
    reasons: dict[str, None] = {}
    text = None
    for each in (*single, groups):
        try:
            text = _convert_groups(each)
        except NoEquivalentError as error:
            reasons[str(error)] = None
    return (None if reasons else text), tuple(reasons)


def _find_domain(rule: Rule) -> str | None:
    """Return the domain of the first distinguished name in a rule."""
    for each in _select_readable(chain(*_list_dns(rule))):
        parts = [part for part in parse_dn(each) if part.startswith("dc=")]
        if parts:
            return ".".join(part.removeprefix("dc=") for part in parts)
    return None


def _resource_type(mapping: ObjectMapping) -> str:
    """Return the resource type; SCIM applications name it by a schema URN."""
    name = mapping.target_object_name or ""
    return name.rpartition(":")[2] if name.lower().startswith("urn:") else name


def _require_importable(
    mapping: ObjectMapping, kind: str, seen: Container[str]
) -> None:
    if kind == "inetorgperson":
        raise NoEquivalentError(
            "inetOrgPerson objects are read and mapped as user objects"
        )
    if kind not in SOURCE_KINDS:
        raise NoEquivalentError(f"objects of {mapping.source_object_name} are not read")
    if mapping.enabled is False:
        raise NoEquivalentError("it is not enabled")
    if kind in seen:
        raise NoEquivalentError(f"a job takes one mapping for {kind} objects")
    if not _RESOURCE_NAME.fullmatch(_resource_type(mapping)):
        raise NoEquivalentError(f"{mapping.target_object_name} is not a resource type")
    if not {"add", "update"} <= parse_flow_types(mapping.flow_types):
        raise NoEquivalentError("a mapping must both create and update")


def _note_dropped_options(
    path: str, mapping: AttributeMapping, entry: Entry
) -> Iterator[str]:
    missing = entry.get("exportMissingReferences")
    if mapping.export_missing_references and not missing:
        yield f"{path} exportMissingReferences: it is not a single reference"
    why = find_unmatchable_reason(parse_path(path))
    if why and (mapping.matching_priority or 0) > 0:
        yield f"{path} matchingPriority: it {why}, so it cannot be used to match"


def find_parts(whole: str, paths: Iterable[str]) -> list[str]:
    """Return the paths that are a part of `whole`, such as `emails[...].value`.

    `manager` has none: to write it as a whole writes the reference only.
    """
    parsed = parse_path(whole)
    if parsed.is_manager:
        return []
    return [each for each in paths if parse_path(each).attribute_path == whole != each]


def _import_entries(
    mapping: ObjectMapping, notes: list[str]
) -> dict[str, tuple[int, Entry]]:
    entries: dict[str, tuple[int, Entry]] = {}
    for index, each in enumerate(mapping.attribute_mappings or ()):
        name = each.target_attribute_name or "no target"
        try:
            path, entry = convert_entry(each, _resource_type(mapping))
        except NoEquivalentError as error:
            notes.append(f"{name}: {error}")
            continue
        if path in entries:
            notes.append(f"{name}: {path} is already mapped")
            continue
        entries[path] = (index, entry)
        notes.extend(_note_dropped_options(path, each, entry))
    for path in list(entries):
        if parts := find_parts(path, entries):
            del entries[path]
            notes.append(f"{path}: its part {parts[0]} is mapped too")
    return entries


def _import_mapping(
    position: int, mapping: ObjectMapping, name: str
) -> ImportedMapping:
    notes: list[str] = []
    entries = _import_entries(mapping, notes)
    if not entries:
        raise NoEquivalentError("none of its attribute mappings has an equivalent")
    if not any("matchingPriority" in entry for _, entry in entries.values()):
        raise NoEquivalentError(
            "it has no matching attribute, so it would duplicate people"
        )
    scope = mapping.scope or Filter()
    if scope.input_filter_groups:
        why = "objects that leave a filter are always deprovisioned here"
        notes.append(f"inputFilterGroups: {why}")
    if scope.category_filter_groups:
        notes.append("categoryFilterGroups: it is experimental and has no equivalent")
    text, reasons = convert_filter(scope)
    return ImportedMapping(
        position=position,
        name=name,
        kind=(mapping.source_object_name or "").lower(),
        target=_resource_type(mapping),
        entries=entries,
        filter=text,
        keeps_leavers="delete" not in parse_flow_types(mapping.flow_types),
        missing_filter_reasons=reasons,
        notes=tuple(notes),
    )


def _import_rule(position: int, rule: Rule, job: str) -> ImportedRule:
    notes = [
        f"{each or 'an empty name'}: is not a distinguished name"
        for written in _list_dns(rule)
        for each in written
        if each not in _select_readable(written)
    ]
    directory = rule.source_directory_name or AD_NAME
    if directory.lower() != AD_NAME.lower():
        notes.append(f"{directory}: write the attribute names of Active Directory")
    if rule.editable is False:
        notes.append("editable: false: Graph refuses changes to this rule")
    found: dict[str, ImportedMapping] = {}
    for index, each in enumerate(rule.object_mappings or ()):
        kind = (each.source_object_name or "").lower()
        try:
            _require_importable(each, kind, found)
            found[kind] = _import_mapping(index, each, f"{job}-{kind}")
        except NoEquivalentError as error:
            notes.append(f"object mapping {each.name or index}: {error}")
    title = f"Rule {rule.name or rule.id or position + 1}"
    between = f"from {rule.source_directory_name} to {rule.target_directory_name}"
    return ImportedRule(
        position=position,
        heading=f"{title}, {between}",
        domain=_find_domain(rule),
        job=job,
        scope=_make_scope_fields(rule),
        mappings=tuple(found.values()),
        notes=tuple(notes),
    )


def import_rules(schema: Schema, name: str) -> tuple[ImportedRule, ...]:
    """Return every rule; the first job is called `name`, the second `name`-2."""
    return tuple(
        _import_rule(at, rule, f"{name}-{at + 1}" if at else name)
        for at, rule in enumerate(schema.synchronization_rules or ())
    )


def parse_flow_types(text: str | None) -> set[str]:
    """Return the flow types in lower case; all of them where none are written."""
    names = "Add,Update,Delete" if text is None else text
    return {each.strip().lower() for each in names.split(",")}
