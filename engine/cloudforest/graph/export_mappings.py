"""Write a mapping and its filter into an object mapping of Graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cloudforest.base.errors import Refused
from cloudforest.graph.export_expressions import (
    Spelling,
    make_constant_source,
    make_graph_source,
    spell_as_in,
)
from cloudforest.graph.import_attributes import NoEquivalentError, convert_entry
from cloudforest.graph.import_rules import ImportedMapping
from cloudforest.graph.schema import (
    AttributeMapping as Row,
)
from cloudforest.graph.schema import (
    find_scim_path,
    is_entra_name,
    to_entra_name,
)
from cloudforest.model.registration import AttributeMapping, Mapping, Scope
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.graph_filter import ClauseGroup, filter_to_graph

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


@dataclass
class ExportWarnings:
    """What Graph cannot express: sentences, each once."""

    sentences: dict[str, None] = field(default_factory=dict)

    def add(self, sentence: str) -> None:
        self.sentences[sentence] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self.sentences)


@dataclass(frozen=True)
class EntryContext:
    """What the export of one entry needs; `place` names the entry in messages."""

    place: str
    spelling: Spelling
    warnings: ExportWarnings


@dataclass(frozen=True)
class ExportContext:
    """What the export of a rule needs; `spelling` spells source attributes."""

    spelling: Spelling
    warnings: ExportWarnings

    def for_entry(self, mapping: Mapping, path: str) -> EntryContext:
        place = f"{path} of the mapping {mapping.name}"
        return EntryContext(place, self.spelling, self.warnings)


def to_attribute_mapping(entry: dict[str, Any]) -> AttributeMapping:
    return msgspec.convert(entry, AttributeMapping)


def make_attribute_mapping(
    target: str, entry: AttributeMapping, context: EntryContext
) -> dict[str, Any]:
    raw = {**_NEW_ATTRIBUTE_MAPPING, "targetAttributeName": target}
    return update_attribute_mapping(raw, None, entry, context)


def _source_key(entry: AttributeMapping) -> tuple[Any, ...]:
    return entry.source, repr(entry.constant), entry.template


def _to_graph_text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _convert_source(
    raw: dict[str, Any],
    imported: AttributeMapping | None,
    entry: AttributeMapping,
    change: EntryContext,
) -> dict[str, Any]:
    if entry.template is not None:
        raise Refused(
            f"{change.place} is a template, which Graph does not support. Write an "
            "expression."
        )
    if entry.source is None:
        was_default = imported is not None and raw.get("source") is None
        if was_default and entry.constant is not None:
            return {"defaultValue": _to_graph_text(entry.constant)}
        return {"source": make_constant_source(entry.constant)}
    source, unknown = make_graph_source(entry.source, change.spelling)
    for function in sorted(unknown):
        change.warnings.add(
            f"{change.place}: the parameter names of {function} in Graph are not "
            "documented, so they are left out. POST the expression to "
            "…/schema/parseExpression and take `parsedExpression`."
        )
    # `defaultValue` held the constant; beside a source it would be a default.
    stale = {"defaultValue": None} if imported and raw.get("source") is None else {}
    return {**stale, "source": source}


def _add_warnings(entry: AttributeMapping, change: EntryContext) -> None:
    if entry.source is not None and entry.when_null == "clear":
        change.warnings.add(
            f"{change.place} clears the attribute when its source is empty; Graph "
            "keeps the old value."
        )
    if entry.sensitive:
        change.warnings.add(f"{change.place} is sensitive; Graph shows it in its logs.")


def update_attribute_mapping(
    raw: dict[str, Any],
    imported: AttributeMapping | None,
    entry: AttributeMapping,
    context: EntryContext,
) -> dict[str, Any]:
    """Return Graph's attribute mapping with what differs from `imported` changed.

    `imported` is what was read of it, None for a new one.
    """
    changed = dict(raw)
    if imported is None or _source_key(imported) != _source_key(entry):
        changed |= _convert_source(raw, imported, entry, context)
    for name, field_name in _FIELD_BY_KEY.items():
        value = getattr(entry, field_name)
        if imported is None or getattr(imported, field_name) != value:
            changed[name] = _to_graph_text(value) if name == "defaultValue" else value
    _add_warnings(entry, context)
    return changed


def _is_same_filter(imported: str | None, text: str | None) -> bool:
    if imported is None or text is None:
        return imported == text
    return parse_filter(imported) == parse_filter(text)


def _make_group(number: int, group: ClauseGroup) -> dict[str, Any]:
    clauses = [
        {
            "operatorName": each.operator,
            "sourceOperandName": each.attribute,
            "targetOperand": {"values": list(each.values)},
        }
        for each in group
    ]
    return {"name": f"Group {number}", "clauses": clauses}


def _make_groups(text: str, spelling: Spelling) -> list[dict[str, Any]]:
    try:
        groups = filter_to_graph(parse_filter(text), spell_as_in(text, spelling))
    except SyntaxFault as fault:
        raise Refused(f"Graph cannot express the filter {text}: {fault}") from fault
    return [_make_group(number, each) for number, each in enumerate(groups, 1)]


def update_filter(
    raw: dict[str, Any] | None,
    imported: str | None,
    text: str | None,
    spelling: Spelling,
) -> dict[str, Any] | None:
    """Return Graph's scope with the filter's groups; unchanged where both agree.

    `imported` is the filter that was read of the scope: None for none, or for one
    without equivalent, which stays until a filter replaces it.
    """
    if _is_same_filter(imported, text):
        return raw
    groups = [] if text is None else _make_groups(text, spelling)
    return {**(_NEW_FILTER if raw is None else raw), "groups": groups}


def _update_flow_types(
    raw: RawMapping,
    imported: ImportedMapping,
    mapping: Mapping,
    warnings: ExportWarnings,
) -> None:
    actions = {mapping.deprovision.out_of_scope, mapping.deprovision.deleted}
    keeps = actions == {"keep"}
    if keeps != imported.keeps_leavers:
        raw["flowTypes"] = _FLOW_TYPES_KEEPING if keeps else _FLOW_TYPES_ALL
    if "keep" in actions and not keeps:
        warnings.add(
            f"The mapping {mapping.name} keeps some leavers; Graph keeps all of them "
            "or none."
        )


def _is_convertible(raw: RawMapping, resource: str) -> bool:
    try:
        convert_entry(msgspec.convert(raw, Row), resource)
    except NoEquivalentError:
        return False
    return True


def _is_superseded(
    raw: RawMapping, imported: ImportedMapping, mapping: Mapping
) -> bool:
    """Tell whether an unconvertible mapping would now be imported as an entry.

    It may follow a removed one with the same target, or fit the new resource type.
    """
    path = find_scim_path(raw.get("targetAttributeName") or "")
    if path is None or path in mapping.attribute_mappings:
        return False
    if path in imported.entries:
        return True
    renamed = mapping.target_object_name != imported.target
    return renamed and _is_convertible(raw, mapping.target_object_name)


def _replace_unconvertible(
    raw: RawMapping,
    remaining: dict[str, AttributeMapping],
    imported: ImportedMapping,
    mapping: Mapping,
    context: ExportContext,
) -> RawMapping:
    """Return a mapping without equivalent, or the entry that replaces it."""
    path = find_scim_path(raw.get("targetAttributeName") or "")
    if path is None or path in imported.entries or path not in remaining:
        return raw
    return update_attribute_mapping(
        raw, None, remaining.pop(path), context.for_entry(mapping, path)
    )


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
    for position, row in enumerate(raw_mappings):
        path = at.get(position)
        if path is None:
            if not _is_superseded(row, imported, mapping):
                yield _replace_unconvertible(row, remaining, imported, mapping, context)
        elif (entry := remaining.pop(path, None)) is not None:
            previous = to_attribute_mapping(imported.entries[path][1])
            yield update_attribute_mapping(
                row, previous, entry, context.for_entry(mapping, path)
            )
    has_entra_names = any(
        is_entra_name(row.get("targetAttributeName") or "") for row in raw_mappings
    )
    for path, entry in sorted(remaining.items()):
        target = to_entra_name(path) if has_entra_names else path
        yield make_attribute_mapping(target, entry, context.for_entry(mapping, path))


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
    previous = raw.get("scope")
    changed = update_filter(previous, imported.filter, text, context.spelling)
    if changed is not previous:
        raw["scope"] = changed
    _update_flow_types(raw, imported, mapping, context.warnings)
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
