"""Scope programs, compiled: which objects of a domain belong to a job, and why not.

What always keeps an object out, whatever the scope says.

What the OUs and groups that a scope names resolve to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

from cloudforest.model.messages import Clause
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import And, ObjectType, Or, ScopeProgram, TypeFilter
from cloudforest.program.attributes_read import filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import is_below, parse_dn
from cloudforest.program.scoping.predicates import (
    Attributes,
    Certainty,
    Predicate,
    compile_certainty,
    compile_filter,
    filter_text,
)

READS = frozenset({"admindescription", "iscriticalsystemobject", "useraccountcontrol"})
"""The attributes that decide it, in lower case."""

_SERVICE_ACCOUNTS = frozenset(
    {
        "msds-delegatedmanagedserviceaccount",
        "msds-groupmanagedserviceaccount",
        "msds-managedserviceaccount",
    }
)
CLASSES = _SERVICE_ACCOUNTS | {"computer"}
"""What is left out for its objectClass, in lower case."""
_INTERDOMAIN_TRUST = 0x800
_MACHINE = 0x1000 | 0x2000
"""Workstation and server trust accounts (MS-ADTS 2.2.16)."""
_WRITTEN_BACK = ("user_", "group_")
_CONFLICT = "\ncnf:"
"""What replication puts, with a GUID, behind the name of the object that lost."""


def _first(entry: Entry, name: str) -> str:
    values = entry.attributes.get(name)
    return values[0].strip().lower() if values else ""


def _flags(entry: Entry) -> int:
    try:
        return int(_first(entry, "useraccountcontrol") or "0")
    except ValueError:
        return 0


def _by_attributes(entry: Entry) -> str | None:
    flags = _flags(entry)
    if _first(entry, "iscriticalsystemobject") == "true":
        return "isCriticalSystemObject"
    if not _SERVICE_ACCOUNTS.isdisjoint(entry.classes):
        return "managedServiceAccount"
    if "computer" in entry.classes or flags & _MACHINE:
        return "computer"
    if flags & _INTERDOMAIN_TRUST:
        return "interdomainTrustAccount"
    if _first(entry, "admindescription").startswith(_WRITTEN_BACK):
        return "adminDescription"
    return None


def exclusion(entry: Entry, names: tuple[str, ...] | None) -> str | None:
    """Return the reason, for example `computer`; None: it is not excluded.

    `names` is its DN, parsed; None where that is not possible.
    """
    if reason := _by_attributes(entry):
        return reason
    if names is None:
        return "distinguishedName"
    is_conflict = bool(names) and _CONFLICT in names[0]
    return "replicationConflict" if is_conflict else None


@dataclass(frozen=True)
class ResolvedScope:
    """The scope's groups, each with its members, nested ones if asked: objectGUIDs.

    `names` are the DNs of its OUs as they are now, by those that were written.
    `partial` are the groups that may have other members than these.
    """

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset[str]().union(*self.groups.values())

    def holding(self, guid: str) -> Iterator[str]:
        """Yield the names under which being a member of each group is seen."""
        for group, members in self.groups.items():
            if guid in members:
                yield _membership(group)

    @cached_property
    def silent(self) -> frozenset[str]:
        """Return those names for the groups that may have members not shown to us."""
        return frozenset(map(_membership, self.partial))


def _membership(group: str) -> str:
    return f"member:{group}"


UNPLACED = "distinguishedname"
"""What an object rests on whose name can't be read: nobody knows where it lies."""

_NAMES = frozenset({"dn", "distinguishedname"})
"""What a directory calls an object, which comes with it and is never asked for."""

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Filter:
    name: str
    accepts: Predicate
    says: Certainty
    reads: frozenset[str]
    operands: tuple[tuple[str, Predicate], ...]

    def held(self, entry: Entry) -> Attributes:
        if self.reads.isdisjoint(_NAMES):
            return entry.attributes
        return {**entry.attributes, **dict.fromkeys(_NAMES, (entry.dn,))}

    def clauses(self, entry: Entry) -> Iterator[Clause]:
        for number, (text, accepts) in enumerate(self.operands, 1):
            name = f"{self.name} clause {number}: {text}"
            yield Clause(text=name, holds=accepts(self.held(entry)))

    def shown(self, entry: Entry) -> frozenset[str]:
        held = self.held(entry)
        return frozenset(name for name in self.reads if held.get(name))


def _compiled(kind: ObjectType, chosen: TypeFilter) -> _Filter:
    tree = chosen.tree
    parts = tree.operands if isinstance(tree, And | Or) else (tree,)
    return _Filter(
        name=f"filters.{kind}",
        accepts=compile_filter(tree),
        says=compile_certainty(tree),
        reads=filter_attributes(tree),
        operands=tuple((filter_text(each), compile_filter(each)) for each in parts),
    )


def _names(entry: Entry) -> tuple[str, ...] | None:
    try:
        return parse_dn(entry.dn)
    except SyntaxFault:
        return None


def _is_in(names: tuple[str, ...], subtrees: Iterable[tuple[str, ...]]) -> bool:
    return any(is_below(names, each) for each in subtrees)


@dataclass(frozen=True)
class Scope:
    """A scope program, compiled: in scope is an object for which every clause holds."""

    program: ScopeProgram
    resolved: ResolvedScope

    def _now(self, written: Iterable[str]) -> list[tuple[str, ...]]:
        return [parse_dn(self.resolved.names.get(each, each)) for each in written]

    @cached_property
    def _subtrees(self) -> list[tuple[str, ...]]:
        return self._now(self.program.organizational_units or ())

    @cached_property
    def _parents(self) -> frozenset[tuple[str, ...]]:
        return frozenset(self._now(self.program.one_level))

    @cached_property
    def _excepted(self) -> list[tuple[str, ...]]:
        return self._now(self.program.excepted)

    def _places(self, names: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
        if self.program.organizational_units is not None:
            placed = names[1:] in self._parents or _is_in(names, self._subtrees)
            yield "organizationalUnits", placed
        if self._excepted:
            yield "except", not _is_in(names, self._excepted)

    @cached_property
    def _filters(self) -> dict[ObjectType, _Filter]:
        return {kind: _compiled(kind, it) for kind, it in self.program.filters.items()}

    def _filter(self, entry: Entry) -> _Filter | None:
        return None if entry.type is None else self._filters.get(entry.type)

    def _steps(self, entry: Entry) -> Iterator[tuple[str, bool]]:
        """Yield each clause by name, in the order of evaluation, and whether it holds.

        A group that the scope names is in wherever it lies; once the scope names
        groups, no other group is.
        """
        names = _names(entry)
        excluded = exclusion(entry, names)
        yield f"excluded: {excluded}" if excluded else "excluded", excluded is None
        yield f"type: {entry.type or 'other'}", entry.type in self.program.types
        is_named_only = bool(self.program.groups) and entry.type == "group"
        if not is_named_only:
            yield from self._places(names or ())
        if self.program.groups:
            let_in = self.resolved.groups if is_named_only else self.resolved.members
            yield "groups", entry.guid in let_in
        if chosen := self._filter(entry):
            yield chosen.name, chosen.accepts(chosen.held(entry))

    def clause(self, entry: Entry) -> str | None:
        """Return the clause that keeps an object out; None: it is in scope.

        For example `excluded: computer`, `type: contact`, `organizationalUnits`,
        `except`, `groups`, `filters.user`; never a value.
        """
        return next((name for name, holds in self._steps(entry) if not holds), None)

    def clauses(self, entry: Entry) -> tuple[Clause, ...]:
        """Return every clause and whether it holds, those of the filter one by one."""
        said = [
            Clause(text=name.replace("excluded", "not excluded"), holds=holds)
            for name, holds in self._steps(entry)
        ]
        chosen = self._filter(entry)
        return (*said, *(chosen.clauses(entry) if chosen else ()))

    def seen(self, entry: Entry) -> tuple[str, ...]:
        """Return what the scope rests on and the object shows: names, sorted.

        Besides attributes, `member:GUID` for each of the scope's groups that it is in.
        """
        chosen = self._filter(entry)
        shown = chosen.shown(entry) if chosen else _NONE
        return tuple(sorted(shown.union(self.resolved.holding(entry.guid))))

    def hidden(self, entry: Entry, cleared: AbstractSet[str]) -> tuple[str, ...]:
        """Return what the scope rests on and may be hidden: not shown, not cleared."""
        chosen = self._filter(entry)
        missing = chosen.reads - chosen.shown(entry) if chosen else _NONE
        return tuple(sorted((missing - cleared) | self.resolved.silent))

    def rests_on(self, entry: Entry, cleared: AbstractSet[str]) -> tuple[str, ...]:
        """Return the attributes that could let an object in, were they not hidden.

        One that is known to be cleared is not hidden. None are named where something
        else keeps the object out for sure. `UNPLACED` is among them where the object's
        name can't be read.
        """
        hidden: frozenset[str] = _NONE
        for name, holds in self._steps(entry):
            doubt = _NONE if holds else self._doubt(name, entry, cleared)
            if not holds and not doubt:
                return ()
            hidden |= doubt
        return tuple(sorted(hidden))

    def _doubt(
        self, clause: str, entry: Entry, cleared: AbstractSet[str]
    ) -> frozenset[str]:
        """Return the hidden attributes that could make a clause hold after all."""
        chosen = self._filter(entry)
        if chosen and clause == chosen.name:
            missing = chosen.reads - chosen.shown(entry) - cleared
            said = chosen.says(chosen.held(entry), missing)
            return _NONE if said is False else missing
        if clause == "groups" and entry.type != "group":
            return self.resolved.silent
        is_placing = clause in {"excluded: distinguishedName", "organizationalUnits"}
        unplaced = is_placing and _names(entry) is None
        return frozenset({UNPLACED}) if unplaced else _NONE


def needed_attributes(program: ScopeProgram, kind: ObjectType) -> frozenset[str]:
    """Return what the predicate reads of a type, to be read and not sent.

    Names are in lower case.
    """
    chosen = program.filters.get(kind)
    reads = _NONE if chosen is None else filter_attributes(chosen.tree) - _NAMES
    return READS | reads
