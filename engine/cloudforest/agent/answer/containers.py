"""Containers that were moved or renamed: what lies in them is answered again.

A directory reports the container only, and not the people below, who may have come into
scope or left it with their place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from cloudforest.agent.answer.question import Question
from cloudforest.model.messages import Moved, Record
from cloudforest.model.ports import Cookie
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn

PART = 500
"""Containers in one record."""

Names = tuple[str, ...]


def _names(dn: str) -> Names:
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


async def records(
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
            moved[item.guid] = _names(item.dn)
