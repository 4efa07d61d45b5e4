"""A schema's rules as jobs, scopes and mappings, with notes on what has no equivalent.

What was made of what is remembered by position, so that `writing` can put a change back
exactly there.

Who is in scope: a rule's containers and groups, an object mapping's filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudforest.graph.import_attributes import (
    NoEquivalentError,
    entry_of,
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
from cloudforest.program.attributes_read import filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.mapping.types import unmatchable
from cloudforest.program.scim.path import parse_path
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.filter_mistakes import mistakes
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.graph_filter import GraphClause, Group, filter_of
from cloudforest.program.scoping.predicates import filter_text


class NoFilterError(Exception):
    """A filter of Graph's has no equivalent here; each of the reasons without a dot."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def names(written: Iterable[str] | None) -> list[str]:
    """Return the distinguished names that can be read, each once."""
    return [each for each in dict.fromkeys(written or ()) if each and _is_dn(each)]


def _is_dn(text: str) -> bool:
    try:
        return bool(parse_dn(text))
    except SyntaxFault:
        return False


def containers(rule: Rule) -> tuple[str, ...]:
    held = rule.container_filter
    return (held.included_containers or ()) if held else ()


def groups(rule: Rule) -> tuple[str, ...]:
    return (rule.group_filter.included_groups or ()) if rule.group_filter else ()


def where(rule: Rule) -> dict[str, Any]:
    """Return `organizationalUnits` and `groups` of the scope."""
    units, members = names(containers(rule)), names(groups(rule))
    found: dict[str, Any] = {"organizationalUnits": units or "all"}
    return found | ({"groups": members} if members else {})


def unreadable(rule: Rule) -> Iterator[str]:
    """Yield what in the rule is not a distinguished name."""
    for written in (containers(rule), groups(rule)):
        yield from (each for each in written if each not in names(written))


def filter_text_of(scope: Filter | None) -> str | None:
    """Return the filter of an object mapping, or None; raises NoFilterError."""
    written = (scope.groups if scope else None) or ()
    groups = [tuple(map(_clause, each.clauses or ())) for each in written]
    tried: list[Sequence[Group]] = [[(one,)] for each in groups for one in each]
    reasons = filter(None, map(_obstacle, [*tried, groups]))
    if every := tuple(dict.fromkeys(reasons)):
        raise NoFilterError(every)
    return _text(groups)


def _obstacle(groups: Sequence[Group]) -> str | None:
    try:
        _text(groups)
    except SyntaxFault as fault:
        return fault.message.rstrip(".")
    except NoEquivalentError as error:
        return str(error)
    return None


def _text(groups: Sequence[Group]) -> str | None:
    tree = filter_of(groups)
    if tree is None:
        return None
    text = filter_text(tree)
    wrong = next(mistakes(text), None)
    if wrong is not None:
        raise NoEquivalentError(wrong.message.rstrip("."))
    require_readable(filter_attributes(parse_filter(text)))
    return text


def _clause(written: Clause) -> GraphClause:
    operand = written.target_operand
    return GraphClause(
        attribute=written.source_operand_name or "",
        operator=written.operator_name or "",
        values=(operand.values or ()) if operand else (),
    )


def domain(rule: Rule) -> str | None:
    """Return the domain that the first distinguished name lies in."""
    for each in names((*containers(rule), *groups(rule))):
        parts = [part for part in parse_dn(each) if part.startswith("dc=")]
        if parts:
            return ".".join(part.removeprefix("dc=") for part in parts)
    return None


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
