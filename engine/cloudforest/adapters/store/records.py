"""From the records of a page to source rows, memberships, and what must be asked.

A page of an answer, sorted by what it says of whom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, update

from cloudforest.adapters.store.database import Row, slices, upsert
from cloudforest.adapters.store.memberships import doubt_members, save_members
from cloudforest.adapters.store.sources import (
    Before,
    Held,
    Stored,
    doubted,
    held_before,
    unsettle,
    with_kept,
)
from cloudforest.adapters.store.tables import scope_member, source
from cloudforest.model.messages import (
    Gone,
    InScope,
    Members,
    Moved,
    OutOfScope,
    Record,
    ScopeMembers,
    Unknown,
)
from cloudforest.model.source import Presence


@dataclass
class Said:
    """A page, sorted; what it says last about an object holds."""

    named: dict[str, InScope | OutOfScope | Gone] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    members: dict[tuple[str, str], bool] = field(default_factory=dict)
    scope_members: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

    def groups(self) -> list[str]:
        """Return the groups in scope, whose records may go on in another page."""
        return [
            id_
            for id_, each in self.named.items()
            if isinstance(each, InScope) and each.type == "group"
        ]


def sort_out(records: Sequence[Record]) -> Said:
    said = Said()
    for record in records:
        match record:
            case InScope() | OutOfScope() | Gone():
                said.named[record.id] = record
            case Unknown():
                said.unknown.append(record.id)
            case Members():
                said.members |= {(record.id, each): True for each in record.add}
                said.members |= {(record.id, each): False for each in record.remove}
            case ScopeMembers():
                said.scope_members += record.ids
            case Moved():
                said.moved += record.ids
    return said


def _digest(record: InScope) -> str:
    """Return that of all that evaluation may look at."""
    whole = (
        record.type,
        record.dn,
        record.parent,
        record.anchor,
        record.attributes,
    )
    encoded = msgspec.json.encode(whole, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _row(
    job: str, generation: int, said: InScope, *, old: Before | None, held: Held
) -> Row | None:
    """Return the row of an object; None: but for the generation it is what it was."""
    record = with_kept(said, held)
    digest = _digest(record)
    doubt, seen = doubted(said, held), _seen(record, old)
    now = ("in", digest, doubt)
    same = old is not None and (old.state, old.digest, old.doubted) == now
    if old is not None and same and seen == list(old.seen):
        return None
    return {
        "job": job,
        "guid": record.id,
        "type": record.type,
        "dn": record.dn,
        "parent": record.parent,
        "anchor": record.anchor,
        "generation": generation,
        "state": "in",
        "digest": digest,
        "settled": old.settled if old is not None and same else None,
        "seen": seen,
        "attributes": record.attributes,
        "doubted": doubt,
    }


def _seen(record: InScope, old: Before | None) -> list[str]:
    """Return what was seen: what is only hidden now still counts."""
    before = old.seen if old is not None else ()
    return sorted({*record.seen, *set(before).intersection(record.hidden)})


def _is_hidden(record: OutOfScope, old: Before | None) -> bool:
    """Tell whether it may be out only because something is hidden from us.

    It was in scope, and we now miss what we then saw: that is not a cleared value.
    """
    if old is None or old.state not in {"in", "unknown"}:
        return False
    return not set(record.rests_on).isdisjoint(old.seen)


def _presence(record: InScope | OutOfScope | Gone, before: Stored) -> Presence:
    match record:
        case InScope():
            return "in"
        case Gone():
            return "gone"
        case OutOfScope():
            return "unknown" if _is_hidden(record, before.get(record.id)) else "out"


def _leave(
    connection: Connection, job: str, ids: Sequence[str], state: Presence
) -> None:
    """Change the state; who has left keeps no values."""
    values: Row = {"state": state, "settled": None}
    if state != "unknown":
        values |= {"seen": [], "attributes": {}, "doubted": None}
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .where(source.c.state != state)
            .values(values)
        )


def _name(connection: Connection, job: str, generation: int, ids: list[str]) -> None:
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .values(generation=generation)
        )


def save_records(
    connection: Connection, job: str, generation: int, said: Said, before: Stored
) -> None:
    """Store rows and memberships. An object never seen in scope gets no row."""
    states = {id_: _presence(each, before) for id_, each in said.named.items()}
    there = [each for each in said.named.values() if isinstance(each, InScope)]
    bare = [each for each in there if each.missing]
    changed = [
        i.id for i in bare if i.id in before and before[i.id].digest != _digest(i)
    ]
    held = held_before(connection, job, bare, before=before, changed=changed)
    rows = {
        each.id: _row(
            job,
            generation,
            each,
            old=before.get(each.id),
            held=held.get(each.id, {}),
        )
        for each in there
    }
    upsert(connection, source, [row for row in rows.values() if row is not None])
    left = {id_: states[id_] for id_ in before if states[id_] != "in"}
    for state in set(left.values()):
        _leave(connection, job, [i for i, each in left.items() if each == state], state)
    same = [id_ for id_, row in rows.items() if row is None]
    _name(connection, job, generation, [*left, *same])
    unsettle(connection, [i for i, old in before.items() if old.state != states[i]])
    doubt_members(connection, job, [i for i in said.named if states[i] == "gone"])
    save_members(connection, job, generation, said.members)


def save_scope_members(
    connection: Connection, job: str, generation: int, ids: Sequence[str]
) -> None:
    rows = [
        {"job": job, "guid": each, "generation": generation, "entered": True}
        for each in dict.fromkeys(ids)
    ]
    upsert(connection, scope_member, rows, keep=("entered",))
