"""Compiled scopes: which objects of a domain belong to a job, and why others do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial

from cloudforest.model.messages import Clause
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import And, ObjectType, Or, ScopeProgram, TypeFilter
from cloudforest.program.scoping.dn import is_in_subtree, parse_dn, parse_dn_or_none
from cloudforest.program.scoping.predicates import (
    Attributes,
    Predicate,
    ThreeValuedTest,
    compile_filter,
    compile_three_valued,
    find_filter_attributes,
    write_filter,
)

EXCLUSION_ATTRIBUTES = frozenset(
    {"admindescription", "iscriticalsystemobject", "useraccountcontrol"}
)
"""The attributes that exclusions rest on, in lower case."""

_SERVICE_ACCOUNTS = frozenset(
    f"msds-{each}managedserviceaccount" for each in ("delegated", "group", "")
)
EXCLUDED_CLASSES = _SERVICE_ACCOUNTS | {"computer"}
"""Object classes that are never in scope, in lower case."""
UNREADABLE_DN = "distinguishedname"
"""The hidden attribute of an object with an unreadable DN: its place is unknown."""
_DN_ATTRIBUTES = frozenset({"dn", "distinguishedname"})
"""Names for the DN, which comes with every object and is never requested."""
_NONE: frozenset[str] = frozenset()
_INTERDOMAIN_TRUST = 0x800
_MACHINE_ACCOUNTS = 0x1000 | 0x2000
"""Workstation and server trust accounts (MS-ADTS 2.2.16)."""
_WRITTEN_BACK = ("user_", "group_")
_CONFLICT_MARK = "\ncnf:"
"""Replication appends this, and a GUID, to the name of the object that lost."""


def _first_value(entry: Entry, name: str) -> str:
    values = entry.attributes.get(name)
    return values[0].strip().lower() if values else ""


def _find_attribute_exclusion(entry: Entry) -> str | None:
    if _first_value(entry, "iscriticalsystemobject") == "true":
        return "isCriticalSystemObject"
    if not _SERVICE_ACCOUNTS.isdisjoint(entry.classes):
        return "managedServiceAccount"
    flags = 0
    with suppress(ValueError):
        flags = int(_first_value(entry, "useraccountcontrol") or "0")
    if "computer" in entry.classes or flags & _MACHINE_ACCOUNTS:
        return "computer"
    if flags & _INTERDOMAIN_TRUST:
        return "interdomainTrustAccount"
    if _first_value(entry, "admindescription").startswith(_WRITTEN_BACK):
        return "adminDescription"
    return None


def _find_exclusion(entry: Entry, names: tuple[str, ...] | None) -> str | None:
    """Return why an object is excluded, such as `computer`; None if it is not.

    `names` is its parsed DN; None if it cannot be parsed.
    """
    if reason := _find_attribute_exclusion(entry):
        return reason
    if names is None:
        return "distinguishedName"
    is_conflict = bool(names) and _CONFLICT_MARK in names[0]
    return "replicationConflict" if is_conflict else None


@dataclass(frozen=True)
class ResolvedScope:
    """A scope's groups with their members (objectGUIDs), and current DNs of its OUs.

    `current_dns` maps the DNs of the tree. `partial_groups` may have more members,
    which are not visible to us.
    """

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    current_dns: Mapping[str, str] = field(default_factory=dict)
    partial_groups: frozenset[str] = frozenset()

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset[str]().union(*self.groups.values())

    def list_memberships(self, object_guid: str) -> Iterator[str]:
        """Yield `member:GUID` for each of the groups that an object is a member of."""
        for group, members in self.groups.items():
            if object_guid in members:
                yield f"member:{group}"

    @cached_property
    def partial_memberships(self) -> frozenset[str]:
        """`member:GUID` for each of the partial groups."""
        return frozenset(f"member:{each}" for each in self.partial_groups)


@dataclass(frozen=True)
class _CompiledFilter:
    name: str
    accepts: Predicate
    three_valued: ThreeValuedTest
    reads: frozenset[str]
    operands: tuple[tuple[str, Predicate], ...]

    def with_dn(self, entry: Entry) -> Attributes:
        if self.reads.isdisjoint(_DN_ATTRIBUTES):
            return entry.attributes
        return {**entry.attributes, **dict.fromkeys(_DN_ATTRIBUTES, (entry.dn,))}

    def evaluate_clauses(self, entry: Entry) -> Iterator[Clause]:
        for number, (text, accepts) in enumerate(self.operands, 1):
            name = f"{self.name} clause {number}: {text}"
            yield Clause(text=name, holds=accepts(self.with_dn(entry)))

    def find_shown(self, entry: Entry) -> frozenset[str]:
        attributes = self.with_dn(entry)
        return frozenset(name for name in self.reads if attributes.get(name))

    def find_missing(self, entry: Entry) -> frozenset[str]:
        return self.reads - self.find_shown(entry)


def _compile_filter(kind: ObjectType, type_filter: TypeFilter) -> _CompiledFilter:
    tree = type_filter.tree
    parts = tree.operands if isinstance(tree, And | Or) else (tree,)
    return _CompiledFilter(
        name=f"filters.{kind}",
        accepts=compile_filter(tree),
        three_valued=compile_three_valued(tree),
        reads=find_filter_attributes(tree),
        operands=tuple((write_filter(each), compile_filter(each)) for each in parts),
    )


@dataclass(frozen=True)
class CompiledScope:
    """A compiled scope; an object is in scope if every clause holds."""

    program: ScopeProgram
    resolved: ResolvedScope

    def _parse_current_dns(self, written: Iterable[str]) -> list[tuple[str, ...]]:
        return [parse_dn(self.resolved.current_dns.get(each, each)) for each in written]

    @cached_property
    def _subtrees(self) -> list[tuple[str, ...]]:
        return self._parse_current_dns(self.program.organizational_units or ())

    @cached_property
    def _parents(self) -> frozenset[tuple[str, ...]]:
        return frozenset(self._parse_current_dns(self.program.one_level))

    @cached_property
    def _excepted(self) -> list[tuple[str, ...]]:
        return self._parse_current_dns(self.program.excepted)

    def _evaluate_containers(
        self, names: tuple[str, ...]
    ) -> Iterator[tuple[str, bool]]:
        is_below = partial(is_in_subtree, names)
        if self.program.organizational_units is not None:
            is_placed = names[1:] in self._parents or any(map(is_below, self._subtrees))
            yield "organizationalUnits", is_placed
        if self._excepted:
            yield "except", not any(map(is_below, self._excepted))

    @cached_property
    def _filters(self) -> dict[ObjectType, _CompiledFilter]:
        return {
            kind: _compile_filter(kind, it) for kind, it in self.program.filters.items()
        }

    def _get_filter(self, entry: Entry) -> _CompiledFilter | None:
        return None if entry.type is None else self._filters.get(entry.type)

    def _evaluate_steps(self, entry: Entry) -> Iterator[tuple[str, bool]]:
        """Yield the name of each clause, in order of evaluation, and whether it holds.

        If the scope names groups, these groups are in scope wherever they are, and no
        other group is.
        """
        names = parse_dn_or_none(entry.dn)
        excluded = _find_exclusion(entry, names)
        yield f"excluded: {excluded}" if excluded else "excluded", excluded is None
        yield f"type: {entry.type or 'other'}", entry.type in self.program.types
        is_named_only = bool(self.program.groups) and entry.type == "group"
        if not is_named_only:
            yield from self._evaluate_containers(names or ())
        if self.program.groups:
            accepted = self.resolved.groups if is_named_only else self.resolved.members
            yield "groups", entry.object_guid in accepted
        if compiled := self._get_filter(entry):
            yield compiled.name, compiled.accepts(compiled.with_dn(entry))

    def find_failing_clause(self, entry: Entry) -> str | None:
        """Return the first clause that fails; None if the object is in scope.

        For example `excluded: computer`, `type: contact`, `organizationalUnits`,
        `except`, `groups`, `filters.user`. It never contains a value of the object.
        """
        return next(
            (name for name, holds in self._evaluate_steps(entry) if not holds), None
        )

    def evaluate_clauses(self, entry: Entry) -> tuple[Clause, ...]:
        """Return every clause and whether it holds, with each clause of the filter."""
        clauses = [
            Clause(text=name.replace("excluded", "not excluded"), holds=holds)
            for name, holds in self._evaluate_steps(entry)
        ]
        if compiled := self._get_filter(entry):
            clauses += compiled.evaluate_clauses(entry)
        return tuple(clauses)

    def find_shown(self, entry: Entry) -> tuple[str, ...]:
        """Return what the scope rests on and the object shows: names, sorted.

        These are attributes, and `member:GUID` for each of the scope's groups.
        """
        compiled = self._get_filter(entry)
        shown = compiled.find_shown(entry) if compiled else _NONE
        memberships = self.resolved.list_memberships(entry.object_guid)
        return tuple(sorted(shown.union(memberships)))

    def find_hidden(self, entry: Entry, cleared: AbstractSet[str]) -> tuple[str, ...]:
        """Return what the scope rests on and may be hidden: not shown, not cleared."""
        compiled = self._get_filter(entry)
        missing = compiled.find_missing(entry) if compiled else _NONE
        return tuple(sorted((missing - cleared) | self.resolved.partial_memberships))

    def find_deciding_hidden(
        self, entry: Entry, cleared: AbstractSet[str]
    ) -> tuple[str, ...]:
        """Return the hidden attributes that could bring an object into scope.

        A cleared attribute is not hidden. The result is empty if another clause surely
        fails. It contains `UNREADABLE_DN` if the object's DN cannot be parsed.
        """
        hidden: frozenset[str] = _NONE
        for name, holds in self._evaluate_steps(entry):
            if holds:
                continue
            deciding = self._find_deciding_hidden(name, entry, cleared)
            if not deciding:
                return ()
            hidden |= deciding
        return tuple(sorted(hidden))

    def _find_deciding_hidden(
        self, clause: str, entry: Entry, cleared: AbstractSet[str]
    ) -> frozenset[str]:
        """Return the hidden attributes that could make a failing clause hold."""
        compiled = self._get_filter(entry)
        if compiled and clause == compiled.name:
            missing = compiled.find_missing(entry) - cleared
            holds = compiled.three_valued(compiled.with_dn(entry), missing)
            return _NONE if holds is False else missing
        if clause == "groups" and entry.type != "group":
            return self.resolved.partial_memberships
        is_placing = clause in {"excluded: distinguishedName", "organizationalUnits"}
        unplaced = is_placing and parse_dn_or_none(entry.dn) is None
        return frozenset({UNREADABLE_DN}) if unplaced else _NONE


def needed_attributes(program: ScopeProgram, kind: ObjectType) -> frozenset[str]:
    """Return the attributes that the scope reads of a type, in lower case.

    The agent reads them and does not send them.
    """
    type_filter = program.filters.get(kind)
    if type_filter is None:
        return EXCLUSION_ATTRIBUTES
    return EXCLUSION_ATTRIBUTES | (
        find_filter_attributes(type_filter.tree) - _DN_ATTRIBUTES
    )
