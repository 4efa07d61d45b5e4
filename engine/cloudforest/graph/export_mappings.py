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
    as_written,
    constant_source,
    graph_source,
)
from cloudforest.graph.import_attributes import NoEquivalentError, entry_of
from cloudforest.graph.import_rules import ReadMapping
from cloudforest.graph.schema import (
    AttributeMapping as Row,
)
from cloudforest.graph.schema import (
    entra_name,
    is_entra_name,
    scim_path,
)
from cloudforest.model.registration import AttributeMapping, Mapping, Scope
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.graph_filter import Group, groups_of

_NEW_ROW: dict[str, Any] = {
    "defaultValue": None,
    "exportMissingReferences": False,
    "flowBehavior": "FlowWhenChanged",
    "flowType": "Always",
    "matchingPriority": 0,
}
"""The row that Cloud Sync's own schemas have for every attribute."""
_FIELDS = {
    "exportMissingReferences": "export_missing_references",
    "flowBehavior": "flow_behavior",
    "flowType": "flow_type",
    "matchingPriority": "matching_priority",
    "defaultValue": "default_value",
}


@dataclass
class Warnings:
    """What Graph has no place for: sentences, each once."""

    said: dict[str, None] = field(default_factory=dict)

    def say(self, sentence: str) -> None:
        self.said[sentence] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self.said)


@dataclass(frozen=True)
class Change:
    """`before` is what was read of the row, None for a new one; `place` names it."""

    place: str
    spelling: Spelling
    warnings: Warnings


def noun_of(entry: dict[str, Any]) -> AttributeMapping:
    return msgspec.convert(entry, AttributeMapping)


def new_row(target: str, entry: AttributeMapping, change: Change) -> dict[str, Any]:
    row = {**_NEW_ROW, "targetAttributeName": target}
    return changed_row(row, None, entry, change)


def changed_row(
    row: dict[str, Any],
    before: AttributeMapping | None,
    entry: AttributeMapping,
    change: Change,
) -> dict[str, Any]:
    """Return the row with what differs; all else in it stays as it is."""
    changed = dict(row)
    if before is None or _origin(before) != _origin(entry):
        changed |= _source(row, before, entry, change)
    for name, field_name in _FIELDS.items():
        value = getattr(entry, field_name)
        if before is None or getattr(before, field_name) != value:
            changed[name] = _text(value) if name == "defaultValue" else value
    _warn(entry, change)
    return changed


def _origin(entry: AttributeMapping) -> tuple[Any, ...]:
    return entry.source, repr(entry.constant), entry.template


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _source(
    row: dict[str, Any],
    before: AttributeMapping | None,
    entry: AttributeMapping,
    change: Change,
) -> dict[str, Any]:
    if entry.template is not None:
        raise Refused(
            f"{change.place} is a template, and Graph has none; write an expression."
        )
    if entry.source is None:
        was_default = before is not None and row.get("source") is None
        if was_default and entry.constant is not None:
            return {"defaultValue": _text(entry.constant)}
        return {"source": constant_source(entry.constant)}
    source, unknown = graph_source(entry.source, change.spelling)
    for function in sorted(unknown):
        change.warnings.say(
            f"Microsoft doesn't say how the parameters of {function} are called, so "
            f"they are left out at {change.place}: POST the expression to "
            "…/schema/parseExpression and take `parsedExpression`."
        )
    # A default value was the constant; now it would be a default.
    stale = {"defaultValue": None} if before and row.get("source") is None else {}
    return {**stale, "source": source}


def _warn(entry: AttributeMapping, change: Change) -> None:
    if entry.source is not None and entry.when_null == "clear":
        change.warnings.say(
            f"{change.place} clears what its source no longer has; Graph leaves it."
        )
    if entry.sensitive:
        change.warnings.say(f"{change.place} is sensitive; Graph shows it in its logs.")


_NEW_SCOPE: dict[str, Any] = {"categoryFilterGroups": [], "inputFilterGroups": []}


def changed_filter(
    raw: dict[str, Any] | None, was: str | None, text: str | None, spelling: Spelling
) -> dict[str, Any] | None:
    """Return the scope with the filter's groups; unchanged where it says the same.

    `was` is the filter that was read of it, None for none or one that has no
    equivalent; such a one stays until a filter is written in its place.
    """
    if _same(was, text):
        return raw
    groups = [] if text is None else _groups(text, spelling)
    held = _NEW_SCOPE if raw is None else raw
    return {**held, "groups": groups}


def _same(was: str | None, text: str | None) -> bool:
    if was is None or text is None:
        return was == text
    return parse_filter(was) == parse_filter(text)


def _groups(text: str, spelling: Spelling) -> list[dict[str, Any]]:
    try:
        groups = groups_of(parse_filter(text), as_written(text, spelling))
    except SyntaxFault as fault:
        raise Refused(
            f"The filter {text} can't be a scope of Graph: {fault}"
        ) from fault
    return [_group(number, each) for number, each in enumerate(groups, 1)]


def _group(number: int, group: Group) -> dict[str, Any]:
    clauses = [
        {
            "operatorName": each.operator,
            "sourceOperandName": each.attribute,
            "targetOperand": {"values": list(each.values)},
        }
        for each in group
    ]
    return {"name": f"Group {number}", "clauses": clauses}


_ALL = "Add, Update, Delete"
_KEEPING = "Add, Update"

Raw = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """`spelling` writes an attribute of the source; `warnings` collects sentences."""

    spelling: Spelling
    warnings: Warnings

    def at(self, mapping: Mapping, path: str) -> Change:
        place = f"{path} of the mapping {mapping.name}"
        return Change(place, self.spelling, self.warnings)


def put_mapping(
    raw: Raw, before: ReadMapping, mapping: Mapping, scope: Scope, context: Context
) -> None:
    if mapping.target_object_name != before.target:
        raw["targetObjectName"] = mapping.target_object_name
    text = scope.filters.get(before.kind)
    held = raw.get("scope")
    changed = changed_filter(held, before.filter, text, context.spelling)
    if changed is not held:
        raw["scope"] = changed
    _put_flows(raw, before, mapping, context.warnings)
    rows = raw.get("attributeMappings") or []
    raw["attributeMappings"] = list(_rows(rows, before, mapping, context))


def new_mapping(mapping: Mapping, scope: Scope, context: Context) -> Raw:
    kind, target = mapping.source_object_name, mapping.target_object_name
    raw: Raw = {
        "enabled": True,
        "flowTypes": _ALL,
        "metadata": [],
        "name": f"{kind} to {target}",
        "scope": None,
        "sourceObjectName": kind,
        "targetObjectName": target,
        "attributeMappings": [],
    }
    nothing = ReadMapping(0, mapping.name, kind, target, {}, None, keeps=False)
    put_mapping(raw, nothing, mapping, scope, context)
    return raw


def _put_flows(
    raw: Raw, before: ReadMapping, mapping: Mapping, warnings: Warnings
) -> None:
    said = {mapping.deprovision.out_of_scope, mapping.deprovision.deleted}
    keeps = said == {"keep"}
    if keeps != before.keeps:
        raw["flowTypes"] = _KEEPING if keeps else _ALL
    if "keep" in said and not keeps:
        warnings.say(
            f"The mapping {mapping.name} keeps some of those who leave; Graph keeps "
            "all of them or none."
        )


def _rows(
    rows: list[Raw], before: ReadMapping, mapping: Mapping, context: Context
) -> Iterator[Raw]:
    """Yield each row: as it was, changed, or new; one that was taken out is left out.

    One that has no equivalent here stays, until an entry takes its target.
    """
    wanted = dict(mapping.attribute_mappings)
    at = {position: path for path, (position, _) in before.entries.items()}
    for position, row in enumerate(rows):
        path = at.get(position)
        if path is None:
            if not _goes_too(row, before, mapping):
                yield _taken_over(row, wanted, before, mapping, context)
        elif (entry := wanted.pop(path, None)) is not None:
            was = noun_of(before.entries[path][1])
            yield changed_row(row, was, entry, context.at(mapping, path))
    entra = any(is_entra_name(row.get("targetAttributeName") or "") for row in rows)
    for path, entry in sorted(wanted.items()):
        target = entra_name(path) if entra else path
        yield new_row(target, entry, context.at(mapping, path))


def _goes_too(row: Raw, before: ReadMapping, mapping: Mapping) -> bool:
    """Tell whether a row without equivalent would become an entry nobody wrote.

    It may stand behind the row of one that was removed, or fit the new resource type.
    """
    path = scim_path(row.get("targetAttributeName") or "")
    if path is None or path in mapping.attribute_mappings:
        return False
    if path in before.entries:
        return True
    renamed = mapping.target_object_name != before.target
    return renamed and _is_entry(row, mapping.target_object_name)


def _is_entry(row: Raw, resource: str) -> bool:
    try:
        entry_of(msgspec.convert(row, Row), resource)
    except NoEquivalentError:
        return False
    return True


def _taken_over(
    row: Raw,
    wanted: dict[str, AttributeMapping],
    before: ReadMapping,
    mapping: Mapping,
    context: Context,
) -> Raw:
    """Return a row without equivalent, or the entry that was written in its place."""
    path = scim_path(row.get("targetAttributeName") or "")
    if path is None or path in before.entries or path not in wanted:
        return row
    return changed_row(row, None, wanted.pop(path), context.at(mapping, path))
