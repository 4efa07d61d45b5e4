"""Answers to `import` (the changes since a watermark) and `read` (named objects).

`import` sends one directory query per object type. The objects below a moved or renamed
container are read again: AD reports only the container, but they may enter or leave the
scope with it.
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

_NOT_REREAD = frozenset({MEMBER_ATTRIBUTE})
"""Attributes that a delta reports in full, so they are not read again."""
REREAD_BATCH = 100
"""Changed objects that one query reads again."""
DnNames = tuple[str, ...]


def _parse_names(dn: str) -> DnNames:
    try:
        return parse_dn(dn)
    except SyntaxFault:
        return (dn,)


def _topmost_containers(moved: Mapping[str, DnNames]) -> Iterator[str]:
    """Yield containers that are not below another one, so each subtree is read once."""
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
        names, where = bound.attributes_to_read(kind), bound.type_filter(kind)
        async for entry in bound.directory.read_subtree(container, kind, names, where):
            for record in bound.object_records(entry):
                yield record


async def _answer_again(
    bound: BoundRequest, moved: Mapping[str, DnNames]
) -> AsyncIterator[Record]:
    for container in _topmost_containers(moved):
        async for moved_record in _moved_records(bound, container):
            yield moved_record
        async for record in _object_records_below(bound, container):
            yield record


async def answer_containers(
    bound: BoundRequest, cookie: str | None
) -> AsyncIterator[Record | DirSyncCookie]:
    """Yield the records of all objects below moved containers, then the cookie.

    Skips deleted containers, whose objects have their own tombstones, and full reads,
    which answer everything anyway.
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
    """Where the next import starts, as one opaque text.

    A cookie per kind of object, and a digest of the members of the scope's groups.
    """

    cookies: Mapping[EntryKind, str | None] = msgspec.field(default_factory=dict)
    members: str | None = None

    def encode(self) -> str:
        return base64.b64encode(canonical_json(self)).decode()


def decode_watermark(watermark: str | None) -> AgentWatermark:
    """Decode a watermark; a foreign one starts a full read."""
    try:
        text = base64.b64decode(watermark or "", validate=True)
        return msgspec.json.decode(text, type=AgentWatermark)
    except (binascii.Error, msgspec.DecodeError):
        return AgentWatermark()


def digest_members(members: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for each in sorted(members):
        digest.update(each.encode() + b"\n")
    return digest.hexdigest()


def _cleared_attributes(
    bound: BoundRequest, now: Entry, delta: Entry
) -> frozenset[str]:
    """Return the relevant attributes that the delta reports without values.

    They need a proof: a hidden attribute that changes comes without values too
    (measured).
    """
    empty = frozenset(name for name, values in delta.attributes.items() if not values)
    if not empty:
        return empty
    hidden = frozenset(bound.scope.find_hidden(now, frozenset()))
    return empty & (hidden | bound.possibly_hidden(now)) - _NOT_REREAD


async def _reread_objects(
    bound: BoundRequest, kind: ObjectType, changed: Sequence[Entry]
) -> AsyncIterator[Record]:
    """Yield the current state of changed objects, with the links of the delta.

    A delta has only the changed attributes, not enough to evaluate the scope. An object
    that cannot be read again is unknown. Group members are not read again: a group may
    have 50,000, one of them new.
    """
    if not changed:
        return
    pending = {each.object_guid: each for each in changed}
    lookups = [Lookup(by="guid", value=guid) for guid in pending]
    names = [
        each for each in bound.attributes_to_read(kind) if each != MEMBER_ATTRIBUTE
    ]
    unproven: list[UnprovenEntry] = []
    async for now in bound.directory.read_objects(lookups, names):
        delta = pending.pop(now.object_guid, now)
        whole = replace(now, members=delta.members, former_members=delta.former_members)
        if cleared := _cleared_attributes(bound, whole, delta):
            unproven.append((whole, cleared))
            continue
        for record in bound.object_records(whole, _NOT_REREAD):
            yield record
    async for record in bound.proven_records(unproven, unread=_NOT_REREAD):
        yield record
    for guid in pending:
        yield Unknown(id=guid)


async def _read_type(
    bound: BoundRequest, kind: ObjectType, cookie: str | None
) -> AsyncIterator[Record | DirSyncCookie]:
    partial: list[Entry] = []
    names, where = bound.attributes_to_read(kind), bound.type_filter(kind)
    changes = bound.directory.read_changes(kind, names, cookie, where)
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
    """Yield the members of the scope's groups, unless they are the same as before.

    A directory reports a changed group, not the objects that entered or left it.
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
    """Yield the records of each kind, followed by the kind and its cookie."""
    cookies = before.cookies
    async for item in answer_containers(bound, cookies.get("container")):
        if isinstance(item, DirSyncCookie):
            # A full read does not tell which containers moved: read all objects again.
            cookies = {} if item.is_full else cookies
            yield "container", item
        else:
            yield item
    for kind in bound.object_types:
        async for each in _read_type(bound, kind, cookies.get(kind)):
            yield (kind, each) if isinstance(each, DirSyncCookie) else each


async def answer_import(bound: BoundRequest) -> AsyncIterator[Record | Closing]:
    """Yield a record for each changed object, then the closing record."""
    before = decode_watermark(bound.request.watermark)
    for part in _scope_member_records(bound, before.members):
        yield part
    ends: dict[EntryKind, DirSyncCookie] = {}
    async for item in _object_records(bound, before):
        if isinstance(item, tuple):
            kind, cookie = item
            ends[kind] = cookie
        else:
            yield item
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
            values = entry.attributes.get((lookup.attribute or "").lower(), ())
            return lookup.value.casefold() in map(str.casefold, values)


class _PendingLookups:
    """The lookups without an answer yet; there may be 50,000 by objectGUID."""

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
    """Yield in, out (with the clause), gone or unknown for each lookup, then close."""
    lookups = bound.request.lookups
    pending = _PendingLookups(lookups)
    attributes = {
        name for kind in READ_ORDER for name in bound.attributes_to_read(kind)
    }
    attributes |= {each.attribute.lower() for each in lookups if each.attribute}
    prove = frozenset(bound.request.prove)
    unproven: list[UnprovenEntry] = []
    async for entry in bound.directory.read_objects(lookups, sorted(attributes)):
        pending.remove_answered(entry)
        if prove and (missing := prove & bound.possibly_hidden(entry)):
            unproven.append((entry, missing))
            continue
        for record in bound.object_records(entry):
            yield record
    async for record in bound.proven_records(unproven):
        yield record
    for lookup in pending:
        yield Unknown(id=lookup.value)
    yield Closing(
        complete=await bound.directory.shows_all_members(),
        directory=bound.identity,
        bindings=dict(bound.bindings.guids),
        nested=bound.nested_groups,
    )
