"""`import`: everything since the watermark, one directory query per object type."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace

from cloudforest.agent.answer import containers
from cloudforest.agent.answer.question import Doubtful, Question
from cloudforest.agent.answer.records import MEMBER, parts
from cloudforest.agent.answer.watermark import Watermark, decoded, digest
from cloudforest.model.messages import (
    Closing,
    Lookup,
    Record,
    ScopeMembers,
    Unknown,
)
from cloudforest.model.ports import Cookie, Entry, Kind
from cloudforest.model.program import ObjectType

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
    async for said in containers.records(question, cookies.get("container")):
        if isinstance(said, Cookie):
            # Nobody knows what was moved since, and whom that concerns.
            cookies = {} if said.full else cookies
            yield "container", said
        else:
            yield said
    for kind in question.kinds:
        async for each in _of_type(question, kind, cookies.get(kind)):
            yield (kind, each) if isinstance(each, Cookie) else each


async def records(question: Question) -> AsyncIterator[Record | Closing]:
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
