"""One mapping and its filter put into an object mapping of Graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from cloudforest.graph.reading.entries import entry_of
from cloudforest.graph.reading.fitting import NoEquivalentError
from cloudforest.graph.reading.rules import ReadMapping
from cloudforest.graph.schema import AttributeMapping as Row
from cloudforest.graph.targets import entra_name, is_entra_name, scim_path
from cloudforest.graph.writing.filters import changed_filter
from cloudforest.graph.writing.rows import (
    Change,
    Warnings,
    changed_row,
    new_row,
    noun_of,
)
from cloudforest.graph.writing.sources import Spelling
from cloudforest.model.registration import AttributeMapping, Mapping, Scope

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
