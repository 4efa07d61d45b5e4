"""One mapping and its filter put into an object mapping of Graph.

One attribute mapping of Graph, changed to say what an entry of ours says.

An object mapping's scope, changed to say what a filter of ours says.
"""

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
"""The row that Cloud Sync's own schemas have for every attribute."""
_FIELD_BY_KEY = {
    "exportMissingReferences": "export_missing_references",
    "flowBehavior": "flow_behavior",
    "flowType": "flow_type",
    "matchingPriority": "matching_priority",
    "defaultValue": "default_value",
}


@dataclass
class ExportWarnings:
    """What Graph has no place for: sentences, each once."""

    sentences: dict[str, None] = field(default_factory=dict)

    def add(self, sentence: str) -> None:
        self.sentences[sentence] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self.sentences)


@dataclass(frozen=True)
class EntryContext:
    """`before` is what was read of the row, None for a new one; `place` names it."""

    place: str
    spelling: Spelling
    warnings: ExportWarnings


def to_attribute_mapping(entry: dict[str, Any]) -> AttributeMapping:
    return msgspec.convert(entry, AttributeMapping)


def make_attribute_mapping(
    target: str, entry: AttributeMapping, context: EntryContext
) -> dict[str, Any]:
    row = {**_NEW_ATTRIBUTE_MAPPING, "targetAttributeName": target}
    return update_attribute_mapping(row, None, entry, context)


def update_attribute_mapping(
    raw: dict[str, Any],
    imported: AttributeMapping | None,
    entry: AttributeMapping,
    context: EntryContext,
) -> dict[str, Any]:
    """Return the row with what differs; all else in it stays as it is."""
    changed = dict(raw)
    if imported is None or _source_key(imported) != _source_key(entry):
        changed |= _convert_source(raw, imported, entry, context)
    for name, field_name in _FIELD_BY_KEY.items():
        value = getattr(entry, field_name)
        if imported is None or getattr(imported, field_name) != value:
            changed[name] = _to_graph_text(value) if name == "defaultValue" else value
    _add_warnings(entry, context)
    return changed


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
            f"{change.place} is a template, and Graph has none; write an expression."
        )
    if entry.source is None:
        was_default = imported is not None and raw.get("source") is None
        if was_default and entry.constant is not None:
            return {"defaultValue": _to_graph_text(entry.constant)}
        return {"source": make_constant_source(entry.constant)}
    source, unknown = make_graph_source(entry.source, change.spelling)
    for function in sorted(unknown):
        change.warnings.add(
            f"Microsoft doesn't say how the parameters of {function} are called, so "
            f"they are left out at {change.place}: POST the expression to "
            "…/schema/parseExpression and take `parsedExpression`."
        )
    # A default value was the constant; now it would be a default.
    stale = {"defaultValue": None} if imported and raw.get("source") is None else {}
    return {**stale, "source": source}


def _add_warnings(entry: AttributeMapping, change: EntryContext) -> None:
    if entry.source is not None and entry.when_null == "clear":
        change.warnings.add(
            f"{change.place} clears what its source no longer has; Graph leaves it."
        )
    if entry.sensitive:
        change.warnings.add(f"{change.place} is sensitive; Graph shows it in its logs.")


_NEW_FILTER: dict[str, Any] = {"categoryFilterGroups": [], "inputFilterGroups": []}


def update_filter(
    raw: dict[str, Any] | None,
    imported: str | None,
    text: str | None,
    spelling: Spelling,
) -> dict[str, Any] | None:
    """Return the scope with the filter's groups; unchanged where it says the same.

    `was` is the filter that was read of it, None for none or one that has no
    equivalent; such a one stays until a filter is written in its place.
    """
    if _is_same_filter(imported, text):
        return raw
    groups = [] if text is None else _make_groups(text, spelling)
    held = _NEW_FILTER if raw is None else raw
    return {**held, "groups": groups}


def _is_same_filter(imported: str | None, text: str | None) -> bool:
    if imported is None or text is None:
        return imported == text
    return parse_filter(imported) == parse_filter(text)


def _make_groups(text: str, spelling: Spelling) -> list[dict[str, Any]]:
    try:
        groups = filter_to_graph(parse_filter(text), spell_as_in(text, spelling))
    except SyntaxFault as fault:
        raise Refused(
            f"The filter {text} can't be a scope of Graph: {fault}"
        ) from fault
    return [_make_group(number, each) for number, each in enumerate(groups, 1)]


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


_FLOW_TYPES_ALL = "Add, Update, Delete"
_FLOW_TYPES_KEEPING = "Add, Update"

RawMapping = dict[str, Any]


@dataclass(frozen=True)
class ExportContext:
    """`spelling` writes an attribute of the source; `warnings` collects sentences."""

    spelling: Spelling
    warnings: ExportWarnings

    def for_entry(self, mapping: Mapping, path: str) -> EntryContext:
        place = f"{path} of the mapping {mapping.name}"
        return EntryContext(place, self.spelling, self.warnings)


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
    held = raw.get("scope")
    changed = update_filter(held, imported.filter, text, context.spelling)
    if changed is not held:
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


def _update_flow_types(
    raw: RawMapping,
    imported: ImportedMapping,
    mapping: Mapping,
    warnings: ExportWarnings,
) -> None:
    said = {mapping.deprovision.out_of_scope, mapping.deprovision.deleted}
    keeps = said == {"keep"}
    if keeps != imported.keeps_leavers:
        raw["flowTypes"] = _FLOW_TYPES_KEEPING if keeps else _FLOW_TYPES_ALL
    if "keep" in said and not keeps:
        warnings.add(
            f"The mapping {mapping.name} keeps some of those who leave; Graph keeps "
            "all of them or none."
        )


def _update_attribute_mappings(
    raw_mappings: list[RawMapping],
    imported: ImportedMapping,
    mapping: Mapping,
    context: ExportContext,
) -> Iterator[RawMapping]:
    """Yield each row: as it was, changed, or new; one that was taken out is left out.

    One that has no equivalent here stays, until an entry takes its target.
    """
    wanted = dict(mapping.attribute_mappings)
    at = {position: path for path, (position, _) in imported.entries.items()}
    for position, row in enumerate(raw_mappings):
        path = at.get(position)
        if path is None:
            if not _is_superseded(row, imported, mapping):
                yield _replace_unconvertible(row, wanted, imported, mapping, context)
        elif (entry := wanted.pop(path, None)) is not None:
            was = to_attribute_mapping(imported.entries[path][1])
            yield update_attribute_mapping(
                row, was, entry, context.for_entry(mapping, path)
            )
    entra = any(
        is_entra_name(row.get("targetAttributeName") or "") for row in raw_mappings
    )
    for path, entry in sorted(wanted.items()):
        target = to_entra_name(path) if entra else path
        yield make_attribute_mapping(target, entry, context.for_entry(mapping, path))


def _is_superseded(
    raw: RawMapping, imported: ImportedMapping, mapping: Mapping
) -> bool:
    """Tell whether a row without equivalent would become an entry nobody wrote.

    It may stand behind the row of one that was removed, or fit the new resource type.
    """
    path = find_scim_path(raw.get("targetAttributeName") or "")
    if path is None or path in mapping.attribute_mappings:
        return False
    if path in imported.entries:
        return True
    renamed = mapping.target_object_name != imported.target
    return renamed and _is_convertible(raw, mapping.target_object_name)


def _is_convertible(raw: RawMapping, resource: str) -> bool:
    try:
        convert_entry(msgspec.convert(raw, Row), resource)
    except NoEquivalentError:
        return False
    return True


def _replace_unconvertible(
    raw: RawMapping,
    remaining: dict[str, AttributeMapping],
    imported: ImportedMapping,
    mapping: Mapping,
    context: ExportContext,
) -> RawMapping:
    """Return a row without equivalent, or the entry that was written in its place."""
    path = find_scim_path(raw.get("targetAttributeName") or "")
    if path is None or path in imported.entries or path not in remaining:
        return raw
    return update_attribute_mapping(
        raw, None, remaining.pop(path), context.for_entry(mapping, path)
    )
