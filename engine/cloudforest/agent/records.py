"""The records of an answer: what an agent reports about a directory object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cloudforest.model.messages import (
    Clause,
    InScope,
    Members,
    OutOfScope,
    Record,
    SyncRequest,
    Tombstone,
    Unknown,
)
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.digest import COMPUTED_ATTRIBUTES
from cloudforest.program.scoping.scope import (
    UNREADABLE_DN,
    CompiledScope,
    needed_attributes,
)

ANCHOR_ATTRIBUTE = "ms-ds-consistencyguid"
MEMBER_ATTRIBUTE = "member"
MEMBERS_PER_RECORD = 500
UNREADABLE_DN_REASON = (
    "Its distinguished name cannot be parsed, so its scope is unknown."
)


@dataclass(frozen=True)
class RequestedAttributes:
    """The attributes of each type that may cross the bus, in lower case.

    `may_hide`: the directory may have values that it does not show.
    """

    by_type: Mapping[ObjectType, frozenset[str]] = field(default_factory=dict)
    may_hide: bool = True

    def possibly_hidden(self, entry: Entry) -> frozenset[str]:
        """Return attributes without values, except `member` if members are known."""
        names = self.by_type.get(entry.type) if entry.type and self.may_hide else None
        empty = frozenset(n for n in names or () if not entry.attributes.get(n))
        has_members = entry.members or entry.former_members
        return empty - {MEMBER_ATTRIBUTE} if has_members else empty


def requested_attributes(
    attributes: Mapping[ObjectType, tuple[str, ...]], *, may_hide: bool = True
) -> RequestedAttributes:
    names = {
        kind: frozenset(map(str.lower, names)) - COMPUTED_ATTRIBUTES
        for kind, names in attributes.items()
    }
    return RequestedAttributes(names, may_hide)


def attributes_to_read(
    requested: RequestedAttributes, kind: ObjectType, scope: ScopeProgram
) -> list[str]:
    """Return the attributes that the answer, the scope and the anchor need."""
    return sorted(
        {
            *requested.by_type.get(kind, ()),
            *map(str.lower, needed_attributes(scope, kind)),
            ANCHOR_ATTRIBUTE,
        }
    )


def source_anchor(entry: Entry) -> str:
    return next(iter(entry.attributes.get(ANCHOR_ATTRIBUTE, ())), entry.object_guid)


def _in_scope_record(
    entry: Entry,
    kind: ObjectType,
    scope: CompiledScope,
    *,
    requested: RequestedAttributes,
    cleared: AbstractSet[str],
    clauses: tuple[Clause, ...],
) -> InScope:
    """Return the object with the requested attributes, and no others."""
    values, names = entry.attributes, requested.by_type.get(kind, frozenset())
    return InScope(
        id=entry.object_guid,
        type=kind,
        dn=entry.dn,
        parent=entry.parent,
        anchor=source_anchor(entry),
        attributes={name: values[name] for name in sorted(names) if values.get(name)},
        seen=scope.find_shown(entry),
        hidden=scope.find_hidden(entry, cleared),
        missing=tuple(sorted(requested.possibly_hidden(entry) - cleared)),
        clauses=clauses,
    )


def split_guids(guids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(guids), MEMBERS_PER_RECORD):
        yield tuple(guids[start : start + MEMBERS_PER_RECORD])


def _member_records(entry: Entry) -> Iterator[Members]:
    for part in split_guids(entry.members):
        yield Members(id=entry.object_guid, add=part)
    for part in split_guids(entry.former_members):
        yield Members(id=entry.object_guid, remove=part)


def entry_records(
    entry: Entry,
    scope: CompiledScope,
    request: SyncRequest,
    requested: RequestedAttributes,
    cleared: AbstractSet[str],
) -> Iterator[Record]:
    """Yield what an agent may report about an object.

    Out of scope: its objectGUID, the names of its hidden attributes and, in a `read`,
    the clause. Unknown: it does not show its classes, or its DN cannot be parsed and no
    other clause keeps it out.
    """
    is_read = request.kind == "read"
    clause = scope.find_failing_clause(entry)
    clauses = scope.evaluate_clauses(entry) if request.explain and is_read else ()
    rests_on = () if clause is None else scope.find_deciding_hidden(entry, cleared)
    if entry.is_deleted:
        yield Tombstone(id=entry.object_guid)
    elif not entry.classes:
        yield Unknown(id=entry.object_guid)
    elif UNREADABLE_DN in rests_on:
        yield Unknown(id=entry.object_guid, reason=UNREADABLE_DN_REASON)
    elif clause is not None or entry.type is None:
        yield OutOfScope(
            id=entry.object_guid,
            clause=clause if is_read else None,
            rests_on=rests_on,
            clauses=clauses,
        )
    else:
        yield _in_scope_record(
            entry,
            entry.type,
            scope,
            requested=requested,
            cleared=cleared,
            clauses=clauses,
        )
        if MEMBER_ATTRIBUTE in requested.by_type.get(entry.type, ()):
            # A read reports the members even if the group is empty.
            empty = [Members(id=entry.object_guid)] if is_read else []
            yield from list(_member_records(entry)) or empty
