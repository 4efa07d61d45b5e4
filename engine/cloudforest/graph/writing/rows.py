"""One attribute mapping of Graph, changed to say what an entry of ours says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cloudforest.base.errors import Refused
from cloudforest.graph.writing.sources import Spelling, constant_source, graph_source
from cloudforest.model.registration import AttributeMapping

_NEW: dict[str, Any] = {
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
    row = {**_NEW, "targetAttributeName": target}
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
