"""What an agent says of a directory object: the records of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cloudforest.model.messages import (
    Clause,
    Gone,
    InScope,
    Members,
    OutOfScope,
    Record,
    SyncRequest,
    Unknown,
)
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.attributes_read import COMPUTED
from cloudforest.program.scoping.scope import UNPLACED, Scope, needed_attributes

ANCHOR = "ms-ds-consistencyguid"
MEMBER = "member"
MEMBERS_PER_RECORD = 500
UNREADABLE_NAME = (
    "Its distinguished name can't be read, so nobody knows whether it is in scope."
)


@dataclass(frozen=True)
class Asked:
    """The attributes of each type that may cross the bus, in lower case.

    `hides`: the directory may have values of them that it does not show.
    """

    names: Mapping[ObjectType, frozenset[str]] = field(default_factory=dict)
    hides: bool = True

    def missing(self, entry: Entry) -> frozenset[str]:
        """Return those that an object does not show, whoever its members are."""
        names = self.names.get(entry.type) if entry.type and self.hides else None
        bare = frozenset(n for n in names or () if not entry.attributes.get(n))
        return bare - {MEMBER} if entry.members or entry.former_members else bare


def asked_of(
    attributes: Mapping[ObjectType, tuple[str, ...]], *, hides: bool = True
) -> Asked:
    names = {
        kind: frozenset(map(str.lower, names)) - COMPUTED
        for kind, names in attributes.items()
    }
    return Asked(names, hides)


def to_read(asked: Asked, kind: ObjectType, scope: ScopeProgram) -> list[str]:
    """Return what to ask of the directory: for the answer, the scope and the anchor."""
    return sorted(
        {
            *asked.names.get(kind, ()),
            *map(str.lower, needed_attributes(scope, kind)),
            ANCHOR,
        }
    )


def anchor(entry: Entry) -> str:
    return next(iter(entry.attributes.get(ANCHOR, ())), entry.guid)


def _in_scope(
    entry: Entry,
    kind: ObjectType,
    scope: Scope,
    *,
    asked: Asked,
    cleared: AbstractSet[str],
    clauses: tuple[Clause, ...],
) -> InScope:
    """Return the object with the attributes asked for, and no others."""
    held, names = entry.attributes, asked.names.get(kind, frozenset())
    return InScope(
        id=entry.guid,
        type=kind,
        dn=entry.dn,
        parent=entry.parent,
        anchor=anchor(entry),
        attributes={name: held[name] for name in sorted(names) if held.get(name)},
        seen=scope.seen(entry),
        hidden=scope.hidden(entry, cleared),
        missing=tuple(sorted(asked.missing(entry) - cleared)),
        clauses=clauses,
    )


def parts(guids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(guids), MEMBERS_PER_RECORD):
        yield tuple(guids[start : start + MEMBERS_PER_RECORD])


def _memberships(entry: Entry) -> Iterator[Members]:
    for part in parts(entry.members):
        yield Members(id=entry.guid, add=part)
    for part in parts(entry.former_members):
        yield Members(id=entry.guid, remove=part)


def of_entry(
    entry: Entry,
    scope: Scope,
    request: SyncRequest,
    asked: Asked,
    cleared: AbstractSet[str],
) -> Iterator[Record]:
    """Yield what may be said of an object.

    Out of scope, that is its objectGUID, the names of attributes that it does not show
    and, in a `read`, the clause. One that does not even show its classes is unknown,
    and so is one whose place can't be read, if nothing else keeps it out.
    """
    is_read = request.kind == "read"
    clause = scope.clause(entry)
    clauses = scope.clauses(entry) if request.explain and is_read else ()
    rests_on = () if clause is None else scope.rests_on(entry, cleared)
    if entry.deleted:
        yield Gone(id=entry.guid)
    elif not entry.classes:
        yield Unknown(id=entry.guid)
    elif UNPLACED in rests_on:
        yield Unknown(id=entry.guid, reason=UNREADABLE_NAME)
    elif clause is not None or entry.type is None:
        yield OutOfScope(
            id=entry.guid,
            clause=clause if is_read else None,
            rests_on=rests_on,
            clauses=clauses,
        )
    else:
        yield _in_scope(
            entry, entry.type, scope, asked=asked, cleared=cleared, clauses=clauses
        )
        if MEMBER in asked.names.get(entry.type, ()):
            # A read names all members, and be it none.
            none = [Members(id=entry.guid)] if is_read else []
            yield from list(_memberships(entry)) or none
