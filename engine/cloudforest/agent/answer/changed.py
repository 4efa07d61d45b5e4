"""`import`: everything since the watermark, one directory query per object type."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from cloudforest.agent.answer import watermark
from cloudforest.agent.answer.question import ORDER, Question
from cloudforest.model.messages import Closing, Lookup, Record, Unknown
from cloudforest.model.ports import Cookie, Entry
from cloudforest.model.program import ObjectType

REREAD = 100
"""Changed objects that are read again with one query."""


async def _reread(
    question: Question, kind: ObjectType, changed: Sequence[Entry]
) -> AsyncIterator[Record]:
    """Yield what changed objects are now, with the links that the delta reported.

    A delta names only what changed of an object, so it can't be judged by it; one that
    can't be read again proves nothing.
    """
    if not changed:
        return
    pending = {each.guid: each for each in changed}
    asked = [Lookup(by="guid", value=guid) for guid in pending]
    async for now in question.directory.read(asked, question.to_read(kind)):
        delta = pending.pop(now.guid, now)
        for record in question.records(
            replace(now, members=delta.members, former_members=delta.former_members)
        ):
            yield record
    for guid in pending:
        yield Unknown(id=guid)


async def _of_type(
    question: Question, kind: ObjectType, cookie: str | None
) -> AsyncIterator[Record | Cookie]:
    partial: list[Entry] = []
    changes = question.directory.changes(kind, question.to_read(kind), cookie)
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


async def records(question: Question) -> AsyncIterator[Record | Closing]:
    """Yield a record for each object that changed, and the closing record last."""
    before = watermark.decoded(question.request.watermark)
    ends: dict[ObjectType, Cookie] = {}
    for kind in ORDER:
        if kind in question.request.scope.types:
            async for said in _of_type(question, kind, before.get(kind)):
                if isinstance(said, Cookie):
                    ends[kind] = said
                else:
                    yield said
    yield Closing(
        complete=all(each.complete for each in ends.values()),
        watermark=watermark.encoded({kind: each.value for kind, each in ends.items()}),
        directory=question.identity,
        bindings=question.bindings,
    )
