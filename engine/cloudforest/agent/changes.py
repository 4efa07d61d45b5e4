"""`import`: everything since the watermark, one directory query per object type.

Containers that were moved or renamed: what lies in them is answered again.

A directory reports the container only, and not the people below, who may have come into
scope or left it with their place.

The watermark of an answer: one opaque text for all that the next one starts from.

`read`: what became of the objects asked for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import msgspec

from cloudforest.agent.question import READ_ORDER, BoundRequest, UnprovenEntry
from cloudforest.agent.records import MEMBER_ATTRIBUTE, split_guids
from cloudforest.base.values import Value, canonical_json
from cloudforest.model.messages import (
    Closing,
    Lookup,
    MovedContainers,
    Record,
    ScopeMembers,
    Unknown,
)
from cloudforest.model.ports.directory import DirSyncCookie, Entry, EntryKind
from cloudforest.model.program import ObjectType
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn

CONTAINERS_PER_RECORD = 500
"""Containers in one record."""

DnNames = tuple[str, ...]


def _parse_names(dn: str) -> DnNames:
    try:
        return parse_dn(dn)
    except SyntaxFault:
        return (dn,)


def _topmost_containers(moved: Mapping[str, DnNames]) -> Iterator[str]:
    """Yield those that lie below no other: a subtree is read once."""
    names = frozenset(moved.values())
    for guid, name in moved.items():
        if not any(name[at:] in names for at in range(1, len(name))):
            yield guid


async def _moved_records(
    bound: BoundRequest, container: str
) -> AsyncIterator[MovedContainers]:
    part: list[str] = []
    async for each in bound.directory.read_subtree(container, "container", ()):
        part.append(each.object_guid)
        if len(part) == CONTAINERS_PER_RECORD:
            yield MovedContainers(ids=tuple(part))
            part = []
    if part:
        yield MovedContainers(ids=tuple(part))


async def _object_records_below(
    bound: BoundRequest, container: str
) -> AsyncIterator[Record]:
    for kind in bound.object_types:
        asked, where = bound.attributes_to_read(kind), bound.type_filter(kind)
        async for entry in bound.directory.read_subtree(container, kind, asked, where):
            for record in bound.object_records(entry):
                yield record


async def _answer_again(
    bound: BoundRequest, moved: Mapping[str, DnNames]
) -> AsyncIterator[Record]:
    for container in _topmost_containers(moved):
        async for said in _moved_records(bound, container):
            yield said
        async for record in _object_records_below(bound, container):
            yield record


async def answer_containers(
    bound: BoundRequest, cookie: str | None
) -> AsyncIterator[Record | DirSyncCookie]:
    """Yield what became of everything below the containers that moved, and a Cookie.

    Deleted ones say nothing: what lay in them has tombstones of its own. A full read
    says nothing either, as everything is answered.
    """
    moved: dict[str, DnNames] = {}
    async for item in bound.directory.read_changes("container", (), cookie):
        if isinstance(item, DirSyncCookie):
            async for record in _answer_again(bound, moved):
                yield record
            yield item
        elif item.is_partial and not item.is_deleted:
            moved[item.object_guid] = _parse_names(item.dn)


class AgentWatermark(Value, frozen=True):
    """A cookie for each kind of object, and a digest of who the scope's groups hold."""

    cookies: Mapping[EntryKind, str | None] = msgspec.field(default_factory=dict)
    members: str | None = None

    def encode(self) -> str:
        return base64.b64encode(canonical_json(msgspec.to_builtins(self))).decode()


def decode_watermark(watermark: str | None) -> AgentWatermark:
    """Return what it says; a watermark that is not ours starts a full read."""
    try:
        text = base64.b64decode(watermark or "", validate=True)
        return msgspec.json.decode(text, type=AgentWatermark)
    except (binascii.Error, msgspec.DecodeError):
        return AgentWatermark()


def digest_members(members: Iterable[str]) -> str:
    found = hashlib.sha256()
    for each in sorted(members):
        found.update(each.encode() + b"\n")
    return found.hexdigest()


_NOT_REREAD = frozenset({MEMBER_ATTRIBUTE})
"""What a delta tells in full, and is not read again."""
REREAD_BATCH = 100
"""Changed objects that are read again with one query."""


def _cleared_attributes(
    bound: BoundRequest, now: Entry, delta: Entry
) -> frozenset[str]:
    """Return the cleared attributes that matter to us, as far as the delta says.

    One that a right hides comes without values as well when it changes (measured).
    """
    bare = frozenset(name for name, held in delta.attributes.items() if not held)
    if not bare:
        return bare
    hidden = frozenset(bound.scope.find_hidden(now, frozenset()))
    return bare & (hidden | bound.possibly_hidden(now)) - _NOT_REREAD


async def _reread_objects(
    bound: BoundRequest, kind: ObjectType, changed: Sequence[Entry]
) -> AsyncIterator[Record]:
    """Yield what changed objects are now, with the links that the delta reported.

    A delta names only what changed of an object, so it can't be judged by it; one that
    can't be read again proves nothing. A group's members are not read again: there may
    be 50,000, and one of them new.
    """
    if not changed:
        return
    pending = {each.object_guid: each for each in changed}
    asked = [Lookup(by="guid", value=guid) for guid in pending]
    names = [
        each for each in bound.attributes_to_read(kind) if each != MEMBER_ATTRIBUTE
    ]
    doubtful: list[UnprovenEntry] = []
    async for now in bound.directory.read_objects(asked, names):
        delta = pending.pop(now.object_guid, now)
        whole = replace(now, members=delta.members, former_members=delta.former_members)
        if cleared := _cleared_attributes(bound, whole, delta):
            doubtful.append((whole, cleared))
            continue
        for record in bound.object_records(whole, _NOT_REREAD):
            yield record
    async for record in bound.proven_records(doubtful, unread=_NOT_REREAD):
        yield record
    for guid in pending:
        yield Unknown(id=guid)


async def _read_type(
    bound: BoundRequest, kind: ObjectType, cookie: str | None
) -> AsyncIterator[Record | DirSyncCookie]:
    partial: list[Entry] = []
    asked, where = bound.attributes_to_read(kind), bound.type_filter(kind)
    changes = bound.directory.read_changes(kind, asked, cookie, where)
    async for item in changes:
        if isinstance(item, DirSyncCookie):
            async for record in _reread_objects(bound, kind, partial):
                yield record
            yield item
        elif item.is_partial and not item.is_deleted:
            partial.append(item)
            if len(partial) == REREAD_BATCH:
                async for record in _reread_objects(bound, kind, partial):
                    yield record
                partial = []
        else:
            for record in bound.object_records(item):
                yield record


def _scope_member_records(
    bound: BoundRequest, before: str | None
) -> Iterator[ScopeMembers]:
    """Yield who the scope's groups hold, unless they hold the same as before.

    A directory reports the group, and not the people who entered or left it.
    """
    if (
        bound.scope_members is not None
        and digest_members(bound.scope_members) != before
    ):
        for part in split_guids(sorted(bound.scope_members)):
            yield ScopeMembers(ids=part)


async def _object_records(
    bound: BoundRequest, before: AgentWatermark
) -> AsyncIterator[Record | tuple[EntryKind, DirSyncCookie]]:
    """Yield the records of each kind, each followed by where its read ended."""
    cookies = before.cookies
    async for said in answer_containers(bound, cookies.get("container")):
        if isinstance(said, DirSyncCookie):
            # Nobody knows what was moved since, and whom that concerns.
            cookies = {} if said.is_full else cookies
            yield "container", said
        else:
            yield said
    for kind in bound.object_types:
        async for each in _read_type(bound, kind, cookies.get(kind)):
            yield (kind, each) if isinstance(each, DirSyncCookie) else each


async def answer_import(bound: BoundRequest) -> AsyncIterator[Record | Closing]:
    """Yield a record for each object that changed, and the closing record last."""
    before = decode_watermark(bound.request.watermark)
    for part in _scope_member_records(bound, before.members):
        yield part
    ends: dict[EntryKind, DirSyncCookie] = {}
    async for said in _object_records(bound, before):
        if isinstance(said, tuple):
            ends[said[0]] = said[1]
        else:
            yield said
    yield await _build_closing(bound, before, ends)


async def _build_closing(
    bound: BoundRequest, before: AgentWatermark, ends: Mapping[EntryKind, DirSyncCookie]
) -> Closing:
    members = (
        None if bound.scope_members is None else digest_members(bound.scope_members)
    )
    after = AgentWatermark({kind: each.value for kind, each in ends.items()}, members)
    return Closing(
        complete=all(each.is_complete for each in ends.values()),
        watermark=after.encode(),
        directory=bound.identity,
        bindings=dict(bound.bindings.guids),
        nested=bound.nested_groups,
        full=tuple(kind for kind in bound.object_types if ends[kind].is_full),
        members=members not in {None, before.members},
        lacks=await bound.directory.list_missing_rights(),
    )


def _is_same_dn(one: str, other: str) -> bool:
    try:
        return parse_dn(one) == parse_dn(other)
    except SyntaxFault:
        return False


def _is_named_by(lookup: Lookup, entry: Entry) -> bool:
    match lookup.by:
        case "dn":
            return _is_same_dn(lookup.value, entry.dn)
        case _:
            held = entry.attributes.get((lookup.attribute or "").lower(), ())
            return lookup.value.casefold() in map(str.casefold, held)


class _PendingLookups:
    """The lookups that nothing has answered yet; there may be 50,000 by GUID."""

    def __init__(self, lookups: Sequence[Lookup]) -> None:
        self._guids = {
            each.value.lower(): each for each in lookups if each.by == "guid"
        }
        self._others = [each for each in lookups if each.by != "guid"]

    def remove_answered(self, entry: Entry) -> None:
        self._guids.pop(entry.object_guid, None)
        self._others = [each for each in self._others if not _is_named_by(each, entry)]

    def __iter__(self) -> Iterator[Lookup]:
        return chain(self._guids.values(), self._others)


async def answer_read(bound: BoundRequest) -> AsyncIterator[Record | Closing]:
    """Yield in, out (with the clause), gone or unknown for each lookup."""
    lookups = bound.request.lookups
    pending = _PendingLookups(lookups)
    attributes = {
        name for kind in READ_ORDER for name in bound.attributes_to_read(kind)
    }
    attributes |= {each.attribute.lower() for each in lookups if each.attribute}
    prove = frozenset(bound.request.prove)
    doubtful: list[UnprovenEntry] = []
    async for entry in bound.directory.read_objects(lookups, sorted(attributes)):
        pending.remove_answered(entry)
        if prove and (missing := prove & bound.possibly_hidden(entry)):
            doubtful.append((entry, missing))
            continue
        for record in bound.object_records(entry):
            yield record
    async for record in bound.proven_records(doubtful):
        yield record
    for lookup in pending:
        yield Unknown(id=lookup.value)
    yield Closing(
        complete=await bound.directory.shows_all_members(),
        directory=bound.identity,
        bindings=dict(bound.bindings.guids),
        nested=bound.nested_groups,
    )
