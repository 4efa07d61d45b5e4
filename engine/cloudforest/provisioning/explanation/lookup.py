"""Finds the object that a person named, by asking the directory now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from cloudforest.base.errors import Refused
from cloudforest.model.cycles import LogQuery
from cloudforest.model.messages import (
    Closing,
    Gone,
    InScope,
    Lookup,
    Members,
    OutOfScope,
    Record,
)
from cloudforest.model.program import Attribute
from cloudforest.program.attributes_read import COMPUTED
from cloudforest.program.digest import attributes_to_read
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.provisioning.imports import request, require_end, whole_answer
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.run import Run

USER_PRINCIPAL_NAME = "userprincipalname"
MANY = 10**18


@dataclass(frozen=True)
class Found:
    """What an agent said of one object: its record, and all that came with it.

    `complete`: a group has no other members than were named.
    """

    record: InScope | OutOfScope | Gone
    records: tuple[Record, ...] = ()
    complete: bool = True

    @property
    def members(self) -> tuple[str, ...]:
        added = (each.add for each in self.records if isinstance(each, Members))
        return tuple(guid for some in added for guid in some)


def _matching(run: Run) -> Iterator[str]:
    """Yield the attributes whose values objects are matched by, as they are."""
    yield USER_PRINCIPAL_NAME
    for mapper in mappers(run.program).values():
        for rule in mapper.matching:
            if isinstance(rule.expression, Attribute):
                yield rule.expression.name.lower()


def _lookups(run: Run, lookup: Lookup) -> tuple[Lookup, ...]:
    """Look for a value without an attribute among those that objects are matched by."""
    if lookup.by != "attribute" or lookup.attribute is not None:
        return (lookup,)
    names = dict.fromkeys(each for each in _matching(run) if each not in COMPUTED)
    return tuple(
        Lookup(by="attribute", attribute=each, value=lookup.value) for each in names
    )


def _domain(dn: str) -> str | None:
    """Return the DNS name of the domain that a DN lies in."""
    try:
        parts = parse_dn(dn)
    except SyntaxFault:
        return None
    labels = [each.removeprefix("dc=") for each in parts if each.startswith("dc=")]
    return ".".join(labels) or None


def every_attribute(run: Run) -> tuple[str, ...]:
    """Return what is read of objects, whatever their type."""
    asked = attributes_to_read(run.program).values()
    return tuple(sorted({name for names in asked for name in names}))


Answer = tuple[list[Record], bool]
"""And whether that was complete."""


async def _ask(run: Run, lookups: Sequence[Lookup]) -> Answer:
    asked = await request(
        run, "read", lookups=tuple(lookups), prove=every_attribute(run), explain=True
    )
    records: list[Record] = []
    closing: Closing | None = None
    async for page in run.bus.ask(asked):
        records += page.records
        closing = page.closing
    held = await run.store.watermark(run.job.name)
    known = held.directory if held else None
    directory = known or (closing.directory if closing else None)
    return records, require_end(run, closing, directory).complete


async def _answer(run: Run, lookups: Sequence[Lookup]) -> Answer:
    return await whole_answer(run, partial(_ask, run, lookups))


def _one(lookup: Lookup, answer: Answer) -> Found | None:
    """Return the one object that was found, or None; raises Refused for several."""
    records, complete = answer
    objects = {
        each.id: each
        for each in records
        if isinstance(each, InScope | OutOfScope | Gone)
    }
    if len(objects) > 1:
        raise Refused(
            f"{len(objects)} objects answer to {lookup.value}, among them "
            f"{', '.join(sorted(objects)[:10])}. Name one by its objectGUID."
        )
    found = (Found(each, tuple(records), complete) for each in objects.values())
    return next(found, None)


async def _logged(run: Run, name: str) -> str | None:
    """Return the objectGUID of whom the log last knew by this name: now deleted."""
    query = LogQuery(job=run.job.name, object=name)
    entries = await run.store.logs(query, first=1, last=MANY, limit=1000)
    return entries[-1][1].object if entries else None


def _require_own_domain(run: Run, lookup: Lookup) -> None:
    domain = _domain(lookup.value) if lookup.by == "dn" else None
    if domain is not None and domain != run.job.domain:
        raise Refused(
            f"{lookup.value} lies in {domain}, and the job {run.job.name} reads "
            f"{run.job.domain}. Name a job of that domain; `cloudforest job list` "
            "shows them."
        )


async def find(run: Run, lookup: Lookup) -> Found | None:
    """Return the object as the directory shows it now; None: it shows none.

    Deleted objects have lost their names, so whom the log knew by that name is asked
    for by objectGUID. Raises Refused for several objects, or one of another domain.
    """
    _require_own_domain(run, lookup)
    found = _one(lookup, await _answer(run, _lookups(run, lookup)))
    if found is not None or lookup.by != "attribute":
        return found
    guid = await _logged(run, lookup.value)
    if guid is None:
        return None
    return _one(lookup, await _answer(run, [Lookup(by="guid", value=guid)]))
