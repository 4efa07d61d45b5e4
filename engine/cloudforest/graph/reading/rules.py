"""A schema's rules as jobs, scopes and mappings, with notes on what has no equivalent.

What was made of what is remembered by position, so that `writing` can put a change back
exactly there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudforest.graph.reading.entries import entry_of
from cloudforest.graph.reading.fitting import NoEquivalentError
from cloudforest.graph.reading.scopes import (
    NoFilterError,
    filter_text_of,
    unreadable,
    where,
)
from cloudforest.graph.schema import (
    AttributeMapping,
    Filter,
    ObjectMapping,
    Rule,
    Schema,
)
from cloudforest.program.attribute.fitting import unmatchable
from cloudforest.program.resource import parse_path

AD = "Active Directory"
KINDS = ("user", "group", "contact")
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9]*")


@dataclass(frozen=True)
class ReadMapping:
    """`entries`: SCIM path to the entry and its position in Graph's list.

    `wider`: why there is no filter, although Graph has one.
    """

    position: int
    name: str
    kind: str
    target: str
    entries: dict[str, tuple[int, dict[str, Any]]]
    filter: str | None
    keeps: bool
    wider: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadRule:
    """`scope` has `organizationalUnits` and perhaps `groups`."""

    position: int
    job: str
    scope: dict[str, Any]
    mappings: tuple[ReadMapping, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Notes:
    said: list[str] = field(default_factory=list)

    def say(self, what: str, reason: str) -> None:
        self.said.append(f"{what}: {reason}")


def read(schema: Schema, name: str) -> tuple[ReadRule, ...]:
    """Return every rule; the first one's job has the name, the next one NAME-2."""
    rules = enumerate(schema.synchronization_rules or ())
    return tuple(
        _rule(position, rule, name if position == 0 else f"{name}-{position + 1}")
        for position, rule in rules
    )


def _rule(position: int, rule: Rule, job: str) -> ReadRule:
    notes = _Notes()
    for each in unreadable(rule):
        notes.say(each or "an empty name", "is not a distinguished name")
    if (rule.source_directory_name or AD).lower() != AD.lower():
        notes.say(rule.source_directory_name or "", "write Active Directory's names")
    if rule.editable is False:
        notes.say("editable: false", "Graph refuses changes of this rule")
    mappings = tuple(_mappings(rule, job, notes))
    return ReadRule(position, job, where(rule), mappings, tuple(notes.said))


def _mappings(rule: Rule, job: str, notes: _Notes) -> Iterator[ReadMapping]:
    seen: set[str] = set()
    for position, each in enumerate(rule.object_mappings or ()):
        kind = (each.source_object_name or "").lower()
        what = f"object mapping {each.name or position}"
        try:
            _require_possible(each, kind, seen)
            found = _mapping(position, each, f"{job}-{kind}")
        except NoEquivalentError as error:
            notes.say(what, str(error))
            continue
        seen.add(kind)
        yield found


def _require_possible(mapping: ObjectMapping, kind: str, seen: set[str]) -> None:
    if kind == "inetorgperson":
        raise NoEquivalentError("these are read as user objects, and mapped as such")
    if kind not in KINDS:
        raise NoEquivalentError(f"objects of {mapping.source_object_name} are not read")
    if mapping.enabled is False:
        raise NoEquivalentError("it is not enabled")
    if kind in seen:
        raise NoEquivalentError(f"a job takes one mapping for {kind} objects")
    if not _RESOURCE.fullmatch(_resource(mapping)):
        raise NoEquivalentError(f"{mapping.target_object_name} is no resource type")
    if not {"add", "update"} <= flows(mapping.flow_types):
        raise NoEquivalentError("a mapping here both creates and updates")


def _resource(mapping: ObjectMapping) -> str:
    """Return the resource type; a SCIM application has a schema's URN for it."""
    name = mapping.target_object_name or ""
    return name.rpartition(":")[2] if name.lower().startswith("urn:") else name


def flows(written: str | None) -> set[str]:
    """Return the flow types, in lower case; all of them if none are written."""
    said = "Add,Update,Delete" if written is None else written
    return {each.strip().lower() for each in said.split(",")}


def _mapping(position: int, mapping: ObjectMapping, name: str) -> ReadMapping:
    notes = _Notes()
    entries = _entries(mapping, notes)
    if not entries:
        raise NoEquivalentError("nothing that it maps has an equivalent")
    if not any("matchingPriority" in entry for _, entry in entries.values()):
        raise NoEquivalentError("nothing is matched by, so it would duplicate people")
    text, wider = _filter(mapping.scope, notes)
    return ReadMapping(
        position=position,
        name=name,
        kind=(mapping.source_object_name or "").lower(),
        target=_resource(mapping),
        entries=entries,
        filter=text,
        keeps="delete" not in flows(mapping.flow_types),
        wider=wider,
        notes=tuple(notes.said),
    )


def _filter(scope: Filter | None, notes: _Notes) -> tuple[str | None, tuple[str, ...]]:
    """Return the filter, and if there should be one and can't, why."""
    if scope is not None and scope.input_filter_groups:
        notes.say("inputFilterGroups", "a filter here always deprovisions who leaves")
    if scope is not None and scope.category_filter_groups:
        notes.say("categoryFilterGroups", "it is experimental, and has no equivalent")
    try:
        return filter_text_of(scope), ()
    except NoFilterError as error:
        return None, error.reasons


def _entries(
    mapping: ObjectMapping, notes: _Notes
) -> dict[str, tuple[int, dict[str, Any]]]:
    entries: dict[str, tuple[int, dict[str, Any]]] = {}
    for index, each in enumerate(mapping.attribute_mappings or ()):
        try:
            path, entry = entry_of(each, _resource(mapping))
            if path in entries:
                raise NoEquivalentError(f"{path} is mapped already")  # noqa: TRY301
        except NoEquivalentError as error:
            notes.say(each.target_attribute_name or "no target", str(error))
            continue
        entries[path] = (index, entry)
        _note_what_is_left_out(path, each, entry, notes)
    return entries


def _note_what_is_left_out(
    path: str, mapping: AttributeMapping, entry: dict[str, Any], notes: _Notes
) -> None:
    missing = entry.get("exportMissingReferences")
    if mapping.export_missing_references and not missing:
        notes.say(f"{path} exportMissingReferences", "it is not a single reference")
    why = unmatchable(parse_path(path))
    if why and (mapping.matching_priority or 0) > 0:
        notes.say(f"{path} matchingPriority", f"it {why}, so nothing is found by it")
