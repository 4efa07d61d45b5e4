"""What an agent says of a directory object: the records of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudforest.model.messages import Gone, InScope, Members, OutOfScope, Record
from cloudforest.model.ports import Entry
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.expressions.reads import COMPUTED
from cloudforest.program.scoping.scope import needed_attributes

ANCHOR = "ms-ds-consistencyguid"
MEMBER = "member"
MEMBERS_PER_RECORD = 500

Asked = dict[ObjectType, frozenset[str]]
"""The attributes of each type that may cross the bus, in lower case."""


def asked_of(attributes: dict[ObjectType, tuple[str, ...]]) -> Asked:
    return {
        kind: frozenset(map(str.lower, names)) - COMPUTED
        for kind, names in attributes.items()
    }


def to_read(asked: Asked, kind: ObjectType, scope: ScopeProgram) -> list[str]:
    """Return what to ask of the directory: for the answer, the scope and the anchor."""
    return sorted(
        {*asked.get(kind, ()), *map(str.lower, needed_attributes(scope, kind)), ANCHOR}
    )


def anchor(entry: Entry) -> str:
    return next(iter(entry.attributes.get(ANCHOR, ())), entry.guid)


def described(entry: Entry, kind: ObjectType, names: Iterable[str]) -> InScope:
    """Return the object with the attributes named, and no others."""
    return InScope(
        id=entry.guid,
        type=kind,
        dn=entry.dn,
        parent=entry.parent,
        anchor=anchor(entry),
        attributes={
            name: entry.attributes[name]
            for name in sorted(names)
            if entry.attributes.get(name)
        },
    )


def _parts(guids: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(guids), MEMBERS_PER_RECORD):
        yield guids[start : start + MEMBERS_PER_RECORD]


def memberships(
    group: str, add: tuple[str, ...], remove: tuple[str, ...] = ()
) -> Iterator[Members]:
    for part in _parts(add):
        yield Members(id=group, add=part)
    for part in _parts(remove):
        yield Members(id=group, remove=part)


def of_entry(
    entry: Entry, asked: Asked, clause: str | None, *, explain: bool
) -> Iterator[Record]:
    """Yield what may be said of an object that `clause` keeps out of scope, if any.

    Out of scope, that is its objectGUID and, to `explain`, the clause.
    """
    if entry.deleted:
        yield Gone(id=entry.guid)
    elif clause is not None or entry.type is None:
        yield OutOfScope(id=entry.guid, clause=clause if explain else None)
    else:
        names = asked.get(entry.type, frozenset())
        yield described(entry, entry.type, names)
        if MEMBER in names:
            yield from memberships(entry.guid, entry.members, entry.former_members)
