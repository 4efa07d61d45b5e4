"""Write a mapping and its filter into an object mapping of Graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cloudforest.base.errors import Refused
from cloudforest.graph import schema as graph
from cloudforest.graph.export_expressions import (
    Spelling,
    make_constant_source,
    make_graph_source,
    spell_as_in,
    to_graph_text,
)
from cloudforest.graph.import_attributes import NoEquivalentError, convert_entry
from cloudforest.graph.import_rules import ImportedMapping, find_parts
from cloudforest.graph.schema import find_scim_path, is_entra_name, to_entra_name
from cloudforest.model.registration import AttributeMapping, Mapping, Scope
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.graph_filter import filter_to_graph

_NEW_ATTRIBUTE_MAPPING: dict[str, Any] = {
    "defaultValue": None,
    "exportMissingReferences": False,
    "flowBehavior": "FlowWhenChanged",
    "flowType": "Always",
    "matchingPriority": 0,
}
"""The attribute mapping that Cloud Sync's schemas have by default."""
_FIELD_BY_KEY = {
    "exportMissingReferences": "export_missing_references",
    "flowBehavior": "flow_behavior",
    "flowType": "flow_type",
    "matchingPriority": "matching_priority",
    "defaultValue": "default_value",
}
_NEW_FILTER: dict[str, Any] = {"categoryFilterGroups": [], "inputFilterGroups": []}
_FLOW_TYPES_ALL = "Add, Update, Delete"
_FLOW_TYPES_KEEPING = "Add, Update"

RawMapping = dict[str, Any]
"""An object mapping or attribute mapping of Graph, as JSON."""


@dataclass(frozen=True)
class ExportContext:
    """What the export of a rule needs; `spelling` spells source attributes.

    `warnings` are sentences on what Graph cannot express, each once.
    """

    spelling: Spelling
    warnings: dict[str, None] = field(default_factory=dict)

    def warn(self, sentence: str) -> None:
        self.warnings[sentence] = None


def _source_key(entry: AttributeMapping) -> tuple[Any, ...]:
    return entry.source, repr(entry.constant), entry.template


def _convert_source(
    raw: RawMapping,
    imported: AttributeMapping | None,
    entry: AttributeMapping,
    place: str,
    context: ExportContext,
) -> RawMapping:
    if entry.template is not None:
        raise Refused(
            f"{place} is a template, which Graph does not support. Write an expression."
        )
    was_default = imported is not None and raw.get("source") is None
    if entry.source is None:
        if was_default and entry.constant is not None:
            return {"defaultValue": to_graph_text(entry.constant)}
        return {"source": make_constant_source(entry.constant)}
    source, unknown = make_graph_source(entry.source, context.spelling)
    for function in sorted(unknown):
        context.warn(
            f"{place}: the parameter names of {function} in Graph are not documented, "
            "so they are left out. POST the expression to …/schema/parseExpression and "
            "take `parsedExpression`."
        )
    # `defaultValue` held the constant; beside a source it would be a default.
    return {**({"defaultValue": None} if was_default else {}), "source": source}


def _update_attribute_mapping(
    raw: RawMapping,
    imported: AttributeMapping | None,
    entry: AttributeMapping,
    place: str,
    context: ExportContext,
) -> RawMapping:
    """Return Graph's attribute mapping with what differs from `imported` changed.

    `imported` is what was read of it, None for a new one. `place` names the entry in
    messages.
    """
    changed = dict(raw)
    if imported is None or _source_key(imported) != _source_key(entry):
        changed |= _convert_source(raw, imported, entry, place, context)
    for name, field_name in _FIELD_BY_KEY.items():
        value = getattr(entry, field_name)
        if imported is None or getattr(imported, field_name) != value:
            is_text = name == "defaultValue" and value is not None
            changed[name] = to_graph_text(value) if is_text else value
    if entry.source is not None and entry.when_null == "clear":
        context.warn(
            f"{place} clears the attribute when its source is empty; Graph keeps the "
            "old value."
        )
    if entry.sensitive:
        context.warn(f"{place} is sensitive; Graph shows it in its logs.")
    return changed


def _make_groups(text: str, spelling: Spelling) -> list[dict[str, Any]]:
    try:
        groups = filter_to_graph(parse_filter(text), spell_as_in(text, spelling))
    except SyntaxFault as fault:
        raise Refused(f"Graph cannot express the filter {text}: {fault}") from fault
    return [
        {
            "name": f"Group {number}",
            "clauses": [
                {
                    "operatorName": each.operator,
                    "sourceOperandName": each.attribute,
                    "targetOperand": {"values": list(each.values)},
                }
                for each in group
            ],
        }
        for number, group in enumerate(groups, 1)
    ]


def _update_filter(
    raw: RawMapping, imported: str | None, text: str | None, spelling: Spelling
) -> None:
    """Write the filter into the object mapping, unless it equals the imported one.

    `imported` is the filter that was read of the scope: None for none, or for one
    without equivalent, which stays until a filter replaces it.
    """
    parsed = [each and parse_filter(each) for each in (imported, text)]
    if parsed[0] != parsed[1]:
        groups = [] if text is None else _make_groups(text, spelling)
        previous = raw.get("scope")
        raw["scope"] = {
            **(_NEW_FILTER if previous is None else previous),
            "groups": groups,
        }


def _update_flow_types(
    raw: RawMapping, imported: ImportedMapping, mapping: Mapping, context: ExportContext
) -> None:
    actions = {mapping.deprovision.out_of_scope, mapping.deprovision.deleted}
    keeps = actions == {"keep"}
    if keeps != imported.keeps_leavers:
        raw["flowTypes"] = _FLOW_TYPES_KEEPING if keeps else _FLOW_TYPES_ALL
    if "keep" in actions and not keeps:
        context.warn(
            f"The mapping {mapping.name} keeps some leavers; Graph keeps all of them "
            "or none."
        )


def _is_convertible(raw: RawMapping, resource: str) -> bool:
    try:
        convert_entry(msgspec.convert(raw, graph.AttributeMapping), resource)
    except NoEquivalentError:
        return False
    return True


def _is_superseded(
    raw: RawMapping, imported: ImportedMapping, mapping: Mapping
) -> bool:
    """Tell whether an unconvertible mapping would now be imported as an entry.

    It may follow a removed one with the same target, be the whole of removed parts, or
    fit the new resource type.
    """
    path = find_scim_path(raw.get("targetAttributeName") or "")
    if path is None or path in mapping.attribute_mappings:
        return False
    if path in imported.entries:
        return True
    if find_parts(path, imported.entries):
        return not find_parts(path, mapping.attribute_mappings)
    renamed = mapping.target_object_name != imported.target
    return renamed and _is_convertible(raw, mapping.target_object_name)


def _update_attribute_mappings(
    raw_mappings: list[RawMapping],
    imported: ImportedMapping,
    mapping: Mapping,
    context: ExportContext,
) -> Iterator[RawMapping]:
    """Yield Graph's attribute mappings, changed or new; removed ones are left out.

    One without equivalent stays until an entry writes its target.
    """
    remaining = dict(mapping.attribute_mappings)
    at = {position: path for path, (position, _) in imported.entries.items()}

    def update(
        row: RawMapping, previous: AttributeMapping | None, path: str
    ) -> RawMapping:
        place = f"{path} of the mapping {mapping.name}"
        entry = remaining.pop(path)
        return _update_attribute_mapping(row, previous, entry, place, context)

    for position, row in enumerate(raw_mappings):
        if (path := at.get(position)) is not None:
            if path in remaining:
                entry = imported.entries[path][1]
                yield update(row, msgspec.convert(entry, AttributeMapping), path)
        elif not _is_superseded(row, imported, mapping):
            path = find_scim_path(row.get("targetAttributeName") or "")
            replaced = path in remaining and path not in imported.entries
            yield update(row, None, path) if path and replaced else row
    has_entra_names = any(
        is_entra_name(row.get("targetAttributeName") or "") for row in raw_mappings
    )
    for path in sorted(remaining):
        target = to_entra_name(path) if has_entra_names else path
        row = {**_NEW_ATTRIBUTE_MAPPING, "targetAttributeName": target}
        yield update(row, None, path)


def update_object_mapping(
    raw: RawMapping,
    imported: ImportedMapping,
    mapping: Mapping,
    scope: Scope,
    context: ExportContext,
) -> None:
    if mapping.target_object_name != imported.target:
        raw["targetObjectName"] = mapping.target_object_name
    text = scope.filters.get(imported.kind)
    _update_filter(raw, imported.filter, text, context.spelling)
    _update_flow_types(raw, imported, mapping, context)
    rows = raw.get("attributeMappings") or []
    raw["attributeMappings"] = list(
        _update_attribute_mappings(rows, imported, mapping, context)
    )


def make_object_mapping(
    mapping: Mapping, scope: Scope, context: ExportContext
) -> RawMapping:
    kind, target = mapping.source_object_name, mapping.target_object_name
    raw: RawMapping = {
        "enabled": True,
        "flowTypes": _FLOW_TYPES_ALL,
        "metadata": [],
        "name": f"{kind} to {target}",
        "scope": None,
        "sourceObjectName": kind,
        "targetObjectName": target,
        "attributeMappings": [],
    }
    nothing = ImportedMapping(
        0, mapping.name, kind, target, {}, None, keeps_leavers=False
    )
    update_object_mapping(raw, nothing, mapping, scope, context)
    return raw
