"""Scope programs, compiled: which objects of a domain belong to a job, and why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloudforest.model.ports import Entry
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.expressions.reads import filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import is_below, parse_dn
from cloudforest.program.scoping.predicate import compile_filter

_NEEDED = frozenset(
    {"admindescription", "iscriticalsystemobject", "useraccountcontrol"}
)
_SERVICE_ACCOUNTS = frozenset(
    {
        "msds-delegatedmanagedserviceaccount",
        "msds-groupmanagedserviceaccount",
        "msds-managedserviceaccount",
    }
)
_INTERDOMAIN_TRUST = 0x800
_MACHINE = 0x1000 | 0x2000
"""Workstation and server trust accounts (MS-ADTS 2.2.16)."""
_WRITTEN_BACK = ("user_", "group_")
_CONFLICT = "\ncnf:"
"""What replication puts, with a GUID, behind the name of the object that lost."""

Clause = str
Verdict = Callable[[Entry], Clause | None]


@dataclass(frozen=True)
class ResolvedScope:
    """The objectGUIDs of the scope's groups and of their members, nested if asked."""

    groups: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()


def _first(entry: Entry, name: str) -> str:
    values = entry.attributes.get(name)
    return values[0].strip().lower() if values else ""


def _flags(entry: Entry) -> int:
    try:
        return int(_first(entry, "useraccountcontrol") or "0")
    except ValueError:
        return 0


def _excluded(entry: Entry) -> Clause | None:
    """Return what always keeps an object out, whatever the scope says."""
    flags = _flags(entry)
    if _first(entry, "iscriticalsystemobject") == "true":
        return "excluded: isCriticalSystemObject"
    if not _SERVICE_ACCOUNTS.isdisjoint(entry.classes):
        return "excluded: managedServiceAccount"
    if "computer" in entry.classes or flags & _MACHINE:
        return "excluded: computer"
    if flags & _INTERDOMAIN_TRUST:
        return "excluded: interdomainTrustAccount"
    if _first(entry, "admindescription").startswith(_WRITTEN_BACK):
        return "excluded: adminDescription"
    return None


def _excluded_by_name(names: tuple[str, ...]) -> Clause | None:
    is_conflict = bool(names) and _CONFLICT in names[0]
    return "excluded: replicationConflict" if is_conflict else None


def _placed(program: ScopeProgram) -> Callable[[tuple[str, ...]], bool]:
    if program.organizational_units is None:
        return lambda _names: True
    bases = [parse_dn(each) for each in program.organizational_units]
    return lambda names: any(is_below(names, base) for base in bases)


def _belongs(
    program: ScopeProgram, resolved: ResolvedScope
) -> Callable[[Entry, tuple[str, ...]], Clause | None]:
    """Compile the rule of place and membership.

    A group that the scope names is in wherever it lies; once the scope names groups, no
    other group is.
    """
    is_placed = _placed(program)

    def judge(entry: Entry, names: tuple[str, ...]) -> Clause | None:
        if program.groups and entry.type == "group":
            return None if entry.guid in resolved.groups else "groups"
        if not is_placed(names):
            return "organizationalUnits"
        if program.groups and entry.guid not in resolved.members:
            return "groups"
        return None

    return judge


def compile_scope(program: ScopeProgram, resolved: ResolvedScope) -> Verdict:
    """Compile into a function that returns None for an object in scope.

    Else it returns the clause that keeps it out, for example `excluded: computer`,
    `type: contact`, `organizationalUnits`, `groups`, `filters.user`; never a value.
    """
    belongs = _belongs(program, resolved)
    filters = {
        kind: compile_filter(each.tree) for kind, each in program.filters.items()
    }

    def judge(entry: Entry) -> Clause | None:
        if clause := _excluded(entry):
            return clause
        if entry.type is None or entry.type not in program.types:
            return f"type: {entry.type or 'other'}"
        try:
            names = parse_dn(entry.dn)
        except SyntaxFault:
            return "excluded: distinguishedName"
        if clause := _excluded_by_name(names) or belongs(entry, names):
            return clause
        accepts = filters.get(entry.type)
        is_accepted = accepts is None or accepts(entry.attributes)
        return None if is_accepted else f"filters.{entry.type}"

    return judge


def needed_attributes(program: ScopeProgram, kind: ObjectType) -> frozenset[str]:
    """Return what the predicate reads of a type, to be read and not sent.

    Names are in lower case.
    """
    chosen = program.filters.get(kind)
    return _NEEDED if chosen is None else _NEEDED | filter_attributes(chosen.tree)
