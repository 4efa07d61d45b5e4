"""`read`: what became of the objects asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cloudforest.agent.answer.question import ORDER, Question
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
        case "guid":
            return lookup.value.lower() == entry.guid
        case "dn":
            return _is_same(lookup.value, entry.dn)
        case "attribute":
            held = entry.attributes.get((lookup.attribute or "").lower(), ())
            return lookup.value.casefold() in map(str.casefold, held)


async def records(question: Question) -> AsyncIterator[Record | Closing]:
    """Yield in, out (with the clause), gone or unknown for each lookup."""
    pending = list(question.request.lookups)
    attributes = {name for kind in ORDER for name in question.to_read(kind)}
    attributes |= {each.attribute.lower() for each in pending if each.attribute}
    async for entry in question.directory.read(pending, sorted(attributes)):
        pending = [each for each in pending if not _names(each, entry)]
        for record in question.records(entry):
            yield record
    for lookup in pending:
        yield Unknown(id=lookup.value)
    yield Closing(
        complete=True, directory=question.identity, bindings=question.bindings
    )
