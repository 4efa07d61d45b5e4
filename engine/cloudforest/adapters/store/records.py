"""From the records of a page to source rows, memberships, and what must be asked.

A page of an answer, sorted by what it says of whom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, update

from cloudforest.adapters.store.database import Row, slice_values, upsert
from cloudforest.adapters.store.memberships import (
    mark_members_deleted,
    save_memberships,
)
from cloudforest.adapters.store.sources import (
    ShownValues,
    StoredSource,
    StoredSources,
    hidden_attributes_text,
    keep_hidden_values,
    read_shown_before,
    unsettle_objects,
)
from cloudforest.adapters.store.tables import scope_member, source
from cloudforest.model.messages import (
    InScope,
    Members,
    MovedContainers,
    OutOfScope,
    Record,
    ScopeMembers,
    Tombstone,
    Unknown,
)
from cloudforest.model.source import Presence


@dataclass
class PageRecords:
    """A page, sorted; what it says last about an object holds."""

    objects: dict[str, InScope | OutOfScope | Tombstone] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    members: dict[tuple[str, str], bool] = field(default_factory=dict)
    scope_members: list[str] = field(default_factory=list)
    moved_containers: list[str] = field(default_factory=list)

    def groups_in_scope(self) -> list[str]:
        """Return the groups in scope, whose records may go on in another page."""
        return [
            id_
            for id_, each in self.objects.items()
            if isinstance(each, InScope) and each.type == "group"
        ]


def sort_records(records: Sequence[Record]) -> PageRecords:
    said = PageRecords()
    for record in records:
        match record:
            case InScope() | OutOfScope() | Tombstone():
                said.objects[record.id] = record
            case Unknown():
                said.unknown.append(record.id)
            case Members():
                said.members |= {(record.id, each): True for each in record.add}
                said.members |= {(record.id, each): False for each in record.remove}
            case ScopeMembers():
                said.scope_members += record.ids
            case MovedContainers():
                said.moved_containers += record.ids
    return said


def _digest_record(record: InScope) -> str:
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


def _source_row(
    job: str,
    generation: int,
    received: InScope,
    *,
    old: StoredSource | None,
    shown_before: ShownValues,
) -> Row | None:
    """Return the row of an object; None: but for the generation it is what it was."""
    record = keep_hidden_values(received, shown_before)
    digest = _digest_record(record)
    doubt, seen = (
        hidden_attributes_text(received, shown_before),
        _seen_attributes(record, old),
    )
    now = ("in", digest, doubt)
    same = old is not None and (old.state, old.digest, old.hidden_attributes) == now
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


def _seen_attributes(record: InScope, old: StoredSource | None) -> list[str]:
    """Return what was seen: what is only hidden now still counts."""
    before = old.seen if old is not None else ()
    return sorted({*record.seen, *set(before).intersection(record.hidden)})


def _may_be_hidden(record: OutOfScope, old: StoredSource | None) -> bool:
    """Tell whether it may be out only because something is hidden from us.

    It was in scope, and we now miss what we then saw: that is not a cleared value.
    """
    if old is None or old.state not in {"in", "unknown"}:
        return False
    return not set(record.rests_on).isdisjoint(old.seen)


def _find_presence(
    record: InScope | OutOfScope | Tombstone, before: StoredSources
) -> Presence:
    match record:
        case InScope():
            return "in"
        case Tombstone():
            return "gone"
        case OutOfScope():
            return "unknown" if _may_be_hidden(record, before.get(record.id)) else "out"


def _save_presence(
    connection: Connection, job: str, ids: Sequence[str], state: Presence
) -> None:
    """Change the state; who has left keeps no values."""
    values: Row = {"state": state, "settled": None}
    if state != "unknown":
        values |= {"seen": [], "attributes": {}, "doubted": None}
    for some in slice_values(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .where(source.c.state != state)
            .values(values)
        )


def _save_generation(
    connection: Connection, job: str, generation: int, ids: list[str]
) -> None:
    for some in slice_values(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .values(generation=generation)
        )


def save_records(
    connection: Connection,
    job: str,
    generation: int,
    page: PageRecords,
    before: StoredSources,
) -> None:
    """Store rows and memberships. An object never seen in scope gets no row."""
    states = {id_: _find_presence(each, before) for id_, each in page.objects.items()}
    there = [each for each in page.objects.values() if isinstance(each, InScope)]
    bare = [each for each in there if each.missing]
    changed = [
        i.id
        for i in bare
        if i.id in before and before[i.id].digest != _digest_record(i)
    ]
    held = read_shown_before(connection, job, bare, before=before, changed=changed)
    rows = {
        each.id: _source_row(
            job,
            generation,
            each,
            old=before.get(each.id),
            shown_before=held.get(each.id, {}),
        )
        for each in there
    }
    upsert(connection, source, [row for row in rows.values() if row is not None])
    left = {id_: states[id_] for id_ in before if states[id_] != "in"}
    for state in set(left.values()):
        _save_presence(
            connection, job, [i for i, each in left.items() if each == state], state
        )
    same = [id_ for id_, row in rows.items() if row is None]
    _save_generation(connection, job, generation, [*left, *same])
    unsettle_objects(
        connection, [i for i, old in before.items() if old.state != states[i]]
    )
    mark_members_deleted(
        connection, job, [i for i in page.objects if states[i] == "gone"]
    )
    save_memberships(connection, job, generation, page.members)


def save_scope_members(
    connection: Connection, job: str, generation: int, ids: Sequence[str]
) -> None:
    rows = [
        {"job": job, "guid": each, "generation": generation, "entered": True}
        for each in dict.fromkeys(ids)
    ]
    upsert(connection, scope_member, rows, keep=("entered",))
