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

from cloudforest.agent.question import ORDER, Doubtful, Question
from cloudforest.agent.records import MEMBER, parts
from cloudforest.base.values import Value, canonical_json
from cloudforest.model.messages import (
    Closing,
    Lookup,
    Moved,
    Record,
    ScopeMembers,
    Unknown,
)
from cloudforest.model.ports.directory import Cookie, Entry, Kind
from cloudforest.model.program import ObjectType
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn

PART = 500
"""Containers in one record."""

Names = tuple[str, ...]


def _parsed_dn(dn: str) -> Names:
    try:
        return parse_dn(dn)
    except SyntaxFault:
        return (dn,)


def _highest(moved: Mapping[str, Names]) -> Iterator[str]:
    """Yield those that lie below no other: a subtree is read once."""
    names = frozenset(moved.values())
    for guid, name in moved.items():
        if not any(name[at:] in names for at in range(1, len(name))):
            yield guid


async def _moved(question: Question, container: str) -> AsyncIterator[Moved]:
    part: list[str] = []
    async for each in question.directory.below(container, "container", ()):
        part.append(each.guid)
        if len(part) == PART:
            yield Moved(ids=tuple(part))
            part = []
    if part:
        yield Moved(ids=tuple(part))


async def _within(question: Question, container: str) -> AsyncIterator[Record]:
    for kind in question.kinds:
        asked, where = question.to_read(kind), question.where(kind)
        async for entry in question.directory.below(container, kind, asked, where):
            for record in question.records(entry):
                yield record


async def _answered_again(
    question: Question, moved: Mapping[str, Names]
) -> AsyncIterator[Record]:
    for container in _highest(moved):
        async for said in _moved(question, container):
            yield said
        async for record in _within(question, container):
            yield record


async def moved_records(
    question: Question, cookie: str | None
) -> AsyncIterator[Record | Cookie]:
    """Yield what became of everything below the containers that moved, and a Cookie.

    Deleted ones say nothing: what lay in them has tombstones of its own. A full read
    says nothing either, as everything is answered.
    """
    moved: dict[str, Names] = {}
    async for item in question.directory.changes("container", (), cookie):
        if isinstance(item, Cookie):
            async for record in _answered_again(question, moved):
                yield record
            yield item
        elif item.partial and not item.deleted:
            moved[item.guid] = _parsed_dn(item.dn)


class Watermark(Value, frozen=True):
    """A cookie for each kind of object, and a digest of who the scope's groups hold."""

    cookies: Mapping[Kind, str | None] = msgspec.field(default_factory=dict)
    members: str | None = None

    def encode(self) -> str:
        return base64.b64encode(canonical_json(msgspec.to_builtins(self))).decode()


def decoded(watermark: str | None) -> Watermark:
    """Return what it says; a watermark that is not ours starts a full read."""
    try:
        text = base64.b64decode(watermark or "", validate=True)
        return msgspec.json.decode(text, type=Watermark)
    except (binascii.Error, msgspec.DecodeError):
        return Watermark()


def digest(members: Iterable[str]) -> str:
    found = hashlib.sha256()
    for each in sorted(members):
        found.update(each.encode() + b"\n")
    return found.hexdigest()


_UNREAD = frozenset({MEMBER})
"""What a delta tells in full, and is not read again."""
REREAD = 100
"""Changed objects that are read again with one query."""


def _cleared(question: Question, now: Entry, delta: Entry) -> frozenset[str]:
    """Return the cleared attributes that matter to us, as far as the delta says.

    One that a right hides comes without values as well when it changes (measured).
    """
    bare = frozenset(name for name, held in delta.attributes.items() if not held)
    if not bare:
        return bare
    hidden = frozenset(question.scope.hidden(now, frozenset()))
    return bare & (hidden | question.missing(now)) - _UNREAD


async def _reread(
    question: Question, kind: ObjectType, changed: Sequence[Entry]
) -> AsyncIterator[Record]:
    """Yield what changed objects are now, with the links that the delta reported.

    A delta names only what changed of an object, so it can't be judged by it; one that
    can't be read again proves nothing. A group's members are not read again: there may
    be 50,000, and one of them new.
    """
    if not changed:
        return
    pending = {each.guid: each for each in changed}
    asked = [Lookup(by="guid", value=guid) for guid in pending]
    names = [each for each in question.to_read(kind) if each != MEMBER]
    doubtful: list[Doubtful] = []
    async for now in question.directory.read(asked, names):
        delta = pending.pop(now.guid, now)
        whole = replace(now, members=delta.members, former_members=delta.former_members)
        if cleared := _cleared(question, whole, delta):
            doubtful.append((whole, cleared))
            continue
        for record in question.records(whole, _UNREAD):
            yield record
    async for record in question.proved(doubtful, unread=_UNREAD):
        yield record
    for guid in pending:
        yield Unknown(id=guid)


async def _of_type(
    question: Question, kind: ObjectType, cookie: str | None
) -> AsyncIterator[Record | Cookie]:
    partial: list[Entry] = []
    asked, where = question.to_read(kind), question.where(kind)
    changes = question.directory.changes(kind, asked, cookie, where)
    async for item in changes:
        if isinstance(item, Cookie):
            async for record in _reread(question, kind, partial):
                yield record
            yield item
        elif item.partial and not item.deleted:
            partial.append(item)
            if len(partial) == REREAD:
                async for record in _reread(question, kind, partial):
                    yield record
                partial = []
        else:
            for record in question.records(item):
                yield record


def _members(question: Question, before: str | None) -> Iterator[ScopeMembers]:
    """Yield who the scope's groups hold, unless they hold the same as before.

    A directory reports the group, and not the people who entered or left it.
    """
    if question.members is not None and digest(question.members) != before:
        for part in parts(sorted(question.members)):
            yield ScopeMembers(ids=part)


async def _objects(
    question: Question, before: Watermark
) -> AsyncIterator[Record | tuple[Kind, Cookie]]:
    """Yield the records of each kind, each followed by where its read ended."""
    cookies = before.cookies
    async for said in moved_records(question, cookies.get("container")):
        if isinstance(said, Cookie):
            # Nobody knows what was moved since, and whom that concerns.
            cookies = {} if said.full else cookies
            yield "container", said
        else:
            yield said
    for kind in question.kinds:
        async for each in _of_type(question, kind, cookies.get(kind)):
            yield (kind, each) if isinstance(each, Cookie) else each


async def import_records(question: Question) -> AsyncIterator[Record | Closing]:
    """Yield a record for each object that changed, and the closing record last."""
    before = decoded(question.request.watermark)
    for part in _members(question, before.members):
        yield part
    ends: dict[Kind, Cookie] = {}
    async for said in _objects(question, before):
        if isinstance(said, tuple):
            ends[said[0]] = said[1]
        else:
            yield said
    yield await _closing(question, before, ends)


async def _closing(
    question: Question, before: Watermark, ends: Mapping[Kind, Cookie]
) -> Closing:
    members = None if question.members is None else digest(question.members)
    after = Watermark({kind: each.value for kind, each in ends.items()}, members)
    return Closing(
        complete=all(each.complete for each in ends.values()),
        watermark=after.encode(),
        directory=question.identity,
        bindings=dict(question.bound.guids),
        nested=question.nested,
        full=tuple(kind for kind in question.kinds if ends[kind].full),
        members=members not in {None, before.members},
        lacks=await question.directory.lacking(),
    )


def _is_same(one: str, other: str) -> bool:
    try:
        return parse_dn(one) == parse_dn(other)
    except SyntaxFault:
        return False


def _is_named_by(lookup: Lookup, entry: Entry) -> bool:
    match lookup.by:
        case "dn":
            return _is_same(lookup.value, entry.dn)
        case _:
            held = entry.attributes.get((lookup.attribute or "").lower(), ())
            return lookup.value.casefold() in map(str.casefold, held)


class _Pending:
    """The lookups that nothing has answered yet; there may be 50,000 by GUID."""

    def __init__(self, lookups: Sequence[Lookup]) -> None:
        self._guids = {
            each.value.lower(): each for each in lookups if each.by == "guid"
        }
        self._others = [each for each in lookups if each.by != "guid"]

    def answered(self, entry: Entry) -> None:
        self._guids.pop(entry.guid, None)
        self._others = [each for each in self._others if not _is_named_by(each, entry)]

    def __iter__(self) -> Iterator[Lookup]:
        return chain(self._guids.values(), self._others)


async def read_records(question: Question) -> AsyncIterator[Record | Closing]:
    """Yield in, out (with the clause), gone or unknown for each lookup."""
    lookups = question.request.lookups
    pending = _Pending(lookups)
    attributes = {name for kind in ORDER for name in question.to_read(kind)}
    attributes |= {each.attribute.lower() for each in lookups if each.attribute}
    prove = frozenset(question.request.prove)
    doubtful: list[Doubtful] = []
    async for entry in question.directory.read(lookups, sorted(attributes)):
        pending.answered(entry)
        if prove and (missing := prove & question.missing(entry)):
            doubtful.append((entry, missing))
            continue
        for record in question.records(entry):
            yield record
    async for record in question.proved(doubtful):
        yield record
    for lookup in pending:
        yield Unknown(id=lookup.value)
    yield Closing(
        complete=await question.directory.shows_all(),
        directory=question.identity,
        bindings=dict(question.bound.guids),
        nested=question.nested,
    )
