"""Answers to `import` (the changes since a watermark) and `read` (named objects).

`import` sends one directory query per object type. The objects below a moved or renamed
container are read again: AD reports only the container, but they may enter or leave the
scope with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from cloudforest.agent.bound_request import (
    MEMBER_ATTRIBUTE,
    READ_ORDER,
    BoundRequest,
    UnprovenEntry,
    batch_guids,
    split_guids,
)
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
from cloudforest.program.scoping.dn import parse_dn_or_none

_NOT_REREAD = frozenset({MEMBER_ATTRIBUTE})
"""Attributes that a delta reports in full, so they are not read again."""
REREAD_BATCH = 100
"""Changed objects that one query reads again."""


async def _answer_below(
    bound: BoundRequest, moved: Mapping[str, tuple[str, ...]]
) -> AsyncIterator[Record]:
    """Yield the containers and objects in the subtrees of moved containers."""
    names = frozenset(moved.values())
    for guid, name in moved.items():
        if any(name[at:] in names for at in range(1, len(name))):
            continue  # It is below another one, and read with that.
        containers = bound.directory.read_subtree(guid, "container", ())
        async for part in batch_guids(containers):
            yield MovedContainers(ids=part)
        for kind in bound.object_types:
            entries = bound.directory.read_subtree(
                guid, kind, bound.attributes_to_read(kind), bound.type_filter(kind)
            )
            async for entry in entries:
                for record in bound.object_records(entry):
                    yield record


async def _read_containers(
    bound: BoundRequest, cookie: str | None
) -> AsyncIterator[Record | DirSyncCookie]:
    """Yield the records of all objects below moved containers, then the cookie.

    Skips deleted containers, whose objects have their own tombstones, and full reads,
    which answer everything anyway.
    """
    moved: dict[str, tuple[str, ...]] = {}
    async for item in bound.directory.read_changes("container", (), cookie):
        if isinstance(item, DirSyncCookie):
            async for record in _answer_below(bound, moved):
                yield record
            yield item
        elif item.is_partial and not item.is_deleted:
            moved[item.object_guid] = parse_dn_or_none(item.dn) or (item.dn,)


class AgentWatermark(Value, frozen=True):
    """Where the next import starts, as one opaque text.

    A cookie per kind of object, and a digest of the members of the scope's groups.
    """

    cookies: Mapping[EntryKind, str | None] = msgspec.field(default_factory=dict)
    members: str | None = None


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
    names = [n for n in bound.attributes_to_read(kind) if n not in _NOT_REREAD]
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
    async for item in bound.directory.read_changes(kind, names, cookie, where):
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


async def answer_import(bound: BoundRequest) -> AsyncIterator[Record | Closing]:
    """Yield a record for each changed object, then the closing record.

    A directory reports a changed group, not the objects that entered or left it. So the
    members of the scope's groups come first, unless they are the same as before.
    """
    before = decode_watermark(bound.request.watermark)
    members = bound.scope_members
    digest = None if members is None else digest_members(members)
    has_other_members = digest not in {None, before.members}
    if has_other_members:
        for part in split_guids(sorted(members or ())):
            yield ScopeMembers(ids=part)
    cookies, ends = before.cookies, dict[EntryKind, DirSyncCookie]()
    async for item in _read_containers(bound, cookies.get("container")):
        if isinstance(item, DirSyncCookie):
            # A full read does not tell which containers moved: read all objects again.
            cookies = {} if item.is_full else cookies
            ends["container"] = item
        else:
            yield item
    for kind in bound.object_types:
        async for item in _read_type(bound, kind, cookies.get(kind)):
            if isinstance(item, DirSyncCookie):
                ends[kind] = item
            else:
                yield item
    after = AgentWatermark({kind: each.value for kind, each in ends.items()}, digest)
    yield Closing(
        complete=all(each.is_complete for each in ends.values()),
        watermark=base64.b64encode(canonical_json(after)).decode(),
        directory=bound.identity,
        bindings=dict(bound.bindings.guids),
        nested=bound.nested_groups,
        full=tuple(kind for kind in bound.object_types if ends[kind].is_full),
        members=has_other_members,
        lacks=await bound.directory.list_missing_rights(),
    )


def _is_named_by(lookup: Lookup, entry: Entry) -> bool:
    if lookup.by == "dn":
        names = parse_dn_or_none(lookup.value)
        return names is not None and names == parse_dn_or_none(entry.dn)
    values = entry.attributes.get((lookup.attribute or "").lower(), ())
    return lookup.value.casefold() in map(str.casefold, values)


async def answer_read(bound: BoundRequest) -> AsyncIterator[Record | Closing]:
    """Yield in, out (with the clause), gone or unknown for each lookup, then close."""
    lookups = bound.request.lookups
    # There may be 50,000 by objectGUID.
    pending = {each.value.lower(): each for each in lookups if each.by == "guid"}
    others = [each for each in lookups if each.by != "guid"]
    attributes = {
        name for kind in READ_ORDER for name in bound.attributes_to_read(kind)
    }
    attributes |= {each.attribute.lower() for each in lookups if each.attribute}
    prove = frozenset(bound.request.prove)
    unproven: list[UnprovenEntry] = []
    async for entry in bound.directory.read_objects(lookups, sorted(attributes)):
        pending.pop(entry.object_guid, None)
        others = [each for each in others if not _is_named_by(each, entry)]
        if prove and (missing := prove & bound.possibly_hidden(entry)):
            unproven.append((entry, missing))
            continue
        for record in bound.object_records(entry):
            yield record
    async for record in bound.proven_records(unproven):
        yield record
    for lookup in (*pending.values(), *others):
        yield Unknown(id=lookup.value)
    yield Closing(
        complete=await bound.directory.shows_all_members(),
        directory=bound.identity,
        bindings=dict(bound.bindings.guids),
        nested=bound.nested_groups,
    )
