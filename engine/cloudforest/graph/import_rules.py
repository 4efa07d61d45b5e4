"""Import a schema's rules as jobs, scopes and mappings.

Notes tell what has no equivalent. Positions are kept, so that an export can write each
change back to its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
from cloudforest.program.scoping.filter_mistakes import find_filter_mistakes
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.graph_filter import (
    ClauseGroup,
    GraphClause,
    filter_from_graph,
)
from cloudforest.program.scoping.predicates import find_filter_attributes, write_filter

AD_NAME = "Active Directory"
SOURCE_KINDS = ("user", "group", "contact")
_RESOURCE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class NoFilterError(Exception):
    """A filter of Graph has no equivalent; `reasons` have no final dot."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class ImportedMapping:
    """An object mapping of Graph; `entries` maps a SCIM path to position and entry.

    `missing_filter_reasons` tell why Graph's filter has no equivalent.
    """

    position: int
    name: str
    kind: str
    target: str
    entries: dict[str, tuple[int, dict[str, Any]]]
    filter: str | None
    keeps_leavers: bool
    missing_filter_reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportedRule:
    """A rule of Graph; `scope` has `organizationalUnits` and perhaps `groups`."""

    position: int
    job: str
    scope: dict[str, Any]
    mappings: tuple[ImportedMapping, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Notes:
    lines: list[str] = field(default_factory=list)

    def add(self, subject: str, reason: str) -> None:
        self.lines.append(f"{subject}: {reason}")


def select_readable_dns(texts: Iterable[str] | None) -> list[str]:
    """Return the valid distinguished names, each once."""
    return [
        each for each in dict.fromkeys(texts or ()) if each and parse_dn_or_none(each)
    ]


def list_containers(rule: Rule) -> tuple[str, ...]:
    containers = rule.container_filter
    return (containers.included_containers or ()) if containers else ()


def list_groups(rule: Rule) -> tuple[str, ...]:
    return (rule.group_filter.included_groups or ()) if rule.group_filter else ()


def make_scope_fields(rule: Rule) -> dict[str, Any]:
    """Return `organizationalUnits` and `groups` of the scope."""
    units = select_readable_dns(list_containers(rule))
    groups = select_readable_dns(list_groups(rule))
    fields: dict[str, Any] = {"organizationalUnits": units or "all"}
    return fields | ({"groups": groups} if groups else {})


def find_unreadable_dns(rule: Rule) -> Iterator[str]:
    """Yield the names in a rule that are not distinguished names."""
    for written in (list_containers(rule), list_groups(rule)):
        yield from (
            each for each in written if each not in select_readable_dns(written)
        )


def _convert_groups(groups: Sequence[ClauseGroup]) -> str | None:
    tree = filter_from_graph(groups)
    if tree is None:
        return None
    text = write_filter(tree)
    mistake = next(find_filter_mistakes(text), None)
    if mistake is not None:
        raise NoEquivalentError(mistake.message.rstrip("."))
    require_readable(find_filter_attributes(parse_filter(text)))
    return text


def _find_obstacle(groups: Sequence[ClauseGroup]) -> str | None:
    try:
        _convert_groups(groups)
    except SyntaxFault as fault:
        return fault.message.rstrip(".")
    except NoEquivalentError as error:
        return str(error)
    return None


def _make_clause(written: Clause) -> GraphClause:
    operand = written.target_operand
    return GraphClause(
        attribute=written.source_operand_name or "",
        operator=written.operator_name or "",
        values=(operand.values or ()) if operand else (),
    )


def convert_filter(scope: Filter | None) -> str | None:
    """Return the filter of an object mapping, or None; raises NoFilterError."""
    written = (scope.groups if scope else None) or ()
    groups = [tuple(map(_make_clause, each.clauses or ())) for each in written]
    single: list[Sequence[ClauseGroup]] = [[(one,)] for each in groups for one in each]
    obstacles = filter(None, map(_find_obstacle, [*single, groups]))
    if reasons := tuple(dict.fromkeys(obstacles)):
        raise NoFilterError(reasons)
    return _convert_groups(groups)


def find_domain(rule: Rule) -> str | None:
    """Return the domain of the first distinguished name in a rule."""
    for each in select_readable_dns((*list_containers(rule), *list_groups(rule))):
        parts = [part for part in parse_dn(each) if part.startswith("dc=")]
        if parts:
            return ".".join(part.removeprefix("dc=") for part in parts)
    return None


def _resource_type(mapping: ObjectMapping) -> str:
    """Return the resource type; SCIM applications name it by a schema URN."""
    name = mapping.target_object_name or ""
    return name.rpartition(":")[2] if name.lower().startswith("urn:") else name


def _require_importable(mapping: ObjectMapping, kind: str, seen: set[str]) -> None:
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


def _import_filter(
    scope: Filter | None, notes: _Notes
) -> tuple[str | None, tuple[str, ...]]:
    """Return the filter, and the reasons why Graph's filter has no equivalent."""
    if scope is not None and scope.input_filter_groups:
        notes.add(
            "inputFilterGroups",
            "objects that leave a filter are always deprovisioned here",
        )
    if scope is not None and scope.category_filter_groups:
        notes.add("categoryFilterGroups", "it is experimental and has no equivalent")
    try:
        return convert_filter(scope), ()
    except NoFilterError as error:
        return None, error.reasons


def _note_dropped_options(
    path: str, mapping: AttributeMapping, entry: dict[str, Any], notes: _Notes
) -> None:
    missing = entry.get("exportMissingReferences")
    if mapping.export_missing_references and not missing:
        notes.add(f"{path} exportMissingReferences", "it is not a single reference")
    why = find_unmatchable_reason(parse_path(path))
    if why and (mapping.matching_priority or 0) > 0:
        notes.add(
            f"{path} matchingPriority", f"it {why}, so it cannot be used to match"
        )


def _import_entries(
    mapping: ObjectMapping, notes: _Notes
) -> dict[str, tuple[int, dict[str, Any]]]:
    entries: dict[str, tuple[int, dict[str, Any]]] = {}
    for index, each in enumerate(mapping.attribute_mappings or ()):
        try:
            path, entry = convert_entry(each, _resource_type(mapping))
            if path in entries:
                raise NoEquivalentError(f"{path} is already mapped")  # noqa: TRY301
        except NoEquivalentError as error:
            notes.add(each.target_attribute_name or "no target", str(error))
            continue
        entries[path] = (index, entry)
        _note_dropped_options(path, each, entry, notes)
    return entries


def _import_mapping(
    position: int, mapping: ObjectMapping, name: str
) -> ImportedMapping:
    notes = _Notes()
    entries = _import_entries(mapping, notes)
    if not entries:
        raise NoEquivalentError("none of its attribute mappings has an equivalent")
    if not any("matchingPriority" in entry for _, entry in entries.values()):
        raise NoEquivalentError(
            "it has no matching attribute, so it would duplicate people"
        )
    text, reasons = _import_filter(mapping.scope, notes)
    return ImportedMapping(
        position=position,
        name=name,
        kind=(mapping.source_object_name or "").lower(),
        target=_resource_type(mapping),
        entries=entries,
        filter=text,
        keeps_leavers="delete" not in parse_flow_types(mapping.flow_types),
        missing_filter_reasons=reasons,
        notes=tuple(notes.lines),
    )


def _import_mappings(rule: Rule, job: str, notes: _Notes) -> Iterator[ImportedMapping]:
    seen: set[str] = set()
    for position, each in enumerate(rule.object_mappings or ()):
        kind = (each.source_object_name or "").lower()
        subject = f"object mapping {each.name or position}"
        try:
            _require_importable(each, kind, seen)
            found = _import_mapping(position, each, f"{job}-{kind}")
        except NoEquivalentError as error:
            notes.add(subject, str(error))
            continue
        seen.add(kind)
        yield found


def _import_rule(position: int, rule: Rule, job: str) -> ImportedRule:
    notes = _Notes()
    for each in find_unreadable_dns(rule):
        notes.add(each or "an empty name", "is not a distinguished name")
    if (rule.source_directory_name or AD_NAME).lower() != AD_NAME.lower():
        notes.add(
            rule.source_directory_name or "",
            "write the attribute names of Active Directory",
        )
    if rule.editable is False:
        notes.add("editable: false", "Graph refuses changes to this rule")
    mappings = tuple(_import_mappings(rule, job, notes))
    return ImportedRule(
        position, job, make_scope_fields(rule), mappings, tuple(notes.lines)
    )


def import_rules(schema: Schema, name: str) -> tuple[ImportedRule, ...]:
    """Return every rule; the first job is called `name`, the second `name`-2."""
    rules = enumerate(schema.synchronization_rules or ())
    return tuple(
        _import_rule(
            position, rule, name if position == 0 else f"{name}-{position + 1}"
        )
        for position, rule in rules
    )


def parse_flow_types(text: str | None) -> set[str]:
    """Return the flow types in lower case; all of them where none are written."""
    names = "Add,Update,Delete" if text is None else text
    return {each.strip().lower() for each in names.split(",")}
