"""`read`: what became of the objects asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain

from cloudforest.agent.answer.question import ORDER, Doubtful, Question
from cloudforest.model.messages import Closing, Lookup, Record, Unknown
from cloudforest.model.ports import Entry
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn


def _is_same(one: str, other: str) -> bool:
    try:
        return parse_dn(one) == parse_dn(other)
    except SyntaxFault:
        return False


def _names(lookup: Lookup, entry: Entry) -> bool:
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
        self._others = [each for each in self._others if not _names(each, entry)]

    def __iter__(self) -> Iterator[Lookup]:
        return chain(self._guids.values(), self._others)


async def records(question: Question) -> AsyncIterator[Record | Closing]:
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
