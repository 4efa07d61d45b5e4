"""Records of an agent's answer, sorted and stored as source rows and memberships."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, update

from cloudforest.adapters.store.database import Row, update_batches, upsert
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
from cloudforest.model.source import KEPT_PRESENCES, Presence


@dataclass
class PageRecords:
    """The records of a page by kind; the last record about an object counts."""

    objects: dict[str, InScope | OutOfScope | Tombstone] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    members: dict[tuple[str, str], bool] = field(default_factory=dict)
    scope_members: list[str] = field(default_factory=list)
    moved_containers: list[str] = field(default_factory=list)

    def groups_in_scope(self) -> list[str]:
        """Return the groups in scope; another page may hold more of their members."""
        return [
            id_
            for id_, each in self.objects.items()
            if isinstance(each, InScope) and each.type == "group"
        ]


def sort_records(records: Sequence[Record]) -> PageRecords:
    page = PageRecords()
    for record in records:
        match record:
            case InScope() | OutOfScope() | Tombstone():
                page.objects[record.id] = record
            case Unknown():
                page.unknown.append(record.id)
            case Members():
                page.members |= {(record.id, each): True for each in record.add}
                page.members |= {(record.id, each): False for each in record.remove}
            case ScopeMembers():
                page.scope_members += record.ids
            case MovedContainers():
                page.moved_containers += record.ids
    return page


def _digest_record(record: InScope) -> str:
    """Return the digest of all that evaluation may read."""
    content = (record.type, record.dn, record.parent, record.anchor, record.attributes)
    encoded = msgspec.json.encode(content, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _source_row(
    job: str,
    generation: int,
    received: InScope,
    old: StoredSource | None,
    shown_before: ShownValues,
) -> Row | None:
    """Return the row of an object, or None if only its generation changes."""
    record = keep_hidden_values(received, shown_before)
    digest = _digest_record(record)
    hidden = hidden_attributes_text(received, shown_before)
    before = old.seen if old is not None else ()
    # Attributes that are only hidden now still count as seen.
    seen = sorted({*record.seen, *set(before).intersection(record.hidden)})
    now = ("in", digest, hidden)
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
        "doubted": hidden,
    }


def _find_presence(
    record: InScope | OutOfScope | Tombstone, old: StoredSource | None
) -> Presence:
    """Return the presence; a hidden attribute never counts as cleared."""
    match record:
        case InScope():
            return "in"
        case Tombstone():
            return "gone"
        case OutOfScope():
            if old is None or old.state not in KEPT_PRESENCES:
                return "out"
            # It may still be in scope by an attribute that it no longer shows.
            return "out" if set(record.rests_on).isdisjoint(old.seen) else "unknown"


def _save_presence(
    db: Connection, job: str, ids: Sequence[str], presence: Presence
) -> None:
    """Change the presence; objects that left the scope keep no values."""
    values: Row = {"state": presence, "settled": None}
    if presence != "unknown":
        values |= {"seen": [], "attributes": {}, "doubted": None}
    statement = update(source).where(source.c.job == job, source.c.state != presence)
    update_batches(db, statement.values(values), source.c.guid, ids)


def save_records(
    db: Connection, job: str, generation: int, page: PageRecords, before: StoredSources
) -> None:
    """Store rows and memberships; an object never seen in scope gets no row."""
    presences = {
        id_: _find_presence(each, before.get(id_)) for id_, each in page.objects.items()
    }
    in_scope = [each for each in page.objects.values() if isinstance(each, InScope)]
    possibly_hiding = [each for each in in_scope if each.missing]
    changed = [
        each.id
        for each in possibly_hiding
        if each.id in before and before[each.id].digest != _digest_record(each)
    ]
    shown = read_shown_before(db, job, possibly_hiding, before=before, changed=changed)
    rows = {
        each.id: _source_row(
            job, generation, each, before.get(each.id), shown.get(each.id, {})
        )
        for each in in_scope
    }
    upsert(db, source, [row for row in rows.values() if row is not None])
    left = {id_: presences[id_] for id_ in before if presences[id_] != "in"}
    for presence in set(left.values()):
        ids = [id_ for id_, each in left.items() if each == presence]
        _save_presence(db, job, ids, presence)
    same = [id_ for id_, row in rows.items() if row is None]
    statement = update(source).where(source.c.job == job).values(generation=generation)
    update_batches(db, statement, source.c.guid, [*left, *same])
    unsettle_objects(db, [i for i, old in before.items() if old.state != presences[i]])
    mark_members_deleted(db, job, [i for i in page.objects if presences[i] == "gone"])
    save_memberships(db, job, generation, page.members)


def save_scope_members(
    db: Connection, job: str, generation: int, ids: Sequence[str]
) -> None:
    rows = [
        {"job": job, "guid": each, "generation": generation, "entered": True}
        for each in dict.fromkeys(ids)
    ]
    upsert(db, scope_member, rows, keep=("entered",))
