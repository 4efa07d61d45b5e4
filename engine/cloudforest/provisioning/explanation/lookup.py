"""Looks up an object in the directory by the name that an operator gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from cloudforest.base.errors import Refused
from cloudforest.model.cycles import LogQuery
from cloudforest.model.messages import (
    Closing,
    InScope,
    Lookup,
    Members,
    OutOfScope,
    Record,
    Tombstone,
)
from cloudforest.model.program import Attribute
from cloudforest.program.digest import COMPUTED_ATTRIBUTES, select_attributes_to_read
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.provisioning.imports import (
    ask_until_whole,
    build_request,
    require_same_directory,
)
from cloudforest.provisioning.mapper import build_mappers
from cloudforest.provisioning.run import CycleContext

USER_PRINCIPAL_NAME = "userprincipalname"
LAST_LOG_NUMBER = 10**18
MAX_SUGGESTED = 10

LookupAnswer = tuple[list[Record], bool]
"""The records, and whether the answer was complete."""


@dataclass(frozen=True)
class LookupResult:
    """An agent's answer about one object: its record, and all records with it.

    `complete`: the answer lists all members of a group.
    """

    record: InScope | OutOfScope | Tombstone
    records: tuple[Record, ...] = ()
    complete: bool = True

    @property
    def members(self) -> tuple[str, ...]:
        added = (each.add for each in self.records if isinstance(each, Members))
        return tuple(guid for some in added for guid in some)


def _matching_attributes(context: CycleContext) -> Iterator[str]:
    """Yield the attributes that objects are matched by without an expression."""
    yield USER_PRINCIPAL_NAME
    for mapper in build_mappers(context.program).values():
        for rule in mapper.matching_mappings:
            if isinstance(rule.expression, Attribute):
                yield rule.expression.name.lower()


def _expand_lookup(context: CycleContext, lookup: Lookup) -> tuple[Lookup, ...]:
    """Look up a value without an attribute in each matching attribute."""
    if lookup.by != "attribute" or lookup.attribute is not None:
        return (lookup,)
    names = dict.fromkeys(
        each
        for each in _matching_attributes(context)
        if each not in COMPUTED_ATTRIBUTES
    )
    return tuple(
        Lookup(by="attribute", attribute=each, value=lookup.value) for each in names
    )


def _domain_of_dn(dn: str) -> str | None:
    """Return the DNS name of the domain of a DN."""
    try:
        parts = parse_dn(dn)
    except SyntaxFault:
        return None
    labels = [each.removeprefix("dc=") for each in parts if each.startswith("dc=")]
    return ".".join(labels) or None


def list_all_attributes(context: CycleContext) -> tuple[str, ...]:
    """Return the attributes that the job reads of objects of any type."""
    by_type = select_attributes_to_read(context.program).values()
    return tuple(sorted({name for names in by_type for name in names}))


async def _read_once(context: CycleContext, lookups: Sequence[Lookup]) -> LookupAnswer:
    request = await build_request(
        context,
        "read",
        lookups=tuple(lookups),
        prove=list_all_attributes(context),
        explain=True,
    )
    records: list[Record] = []
    closing: Closing | None = None
    async for page in context.bus.request_pages(request):
        records += page.records
        closing = page.closing
    watermark = await context.store.load_watermark(context.live_read_key)
    known_directory = watermark.directory if watermark else None
    directory = known_directory or (closing.directory if closing else None)
    return records, require_same_directory(context, closing, directory).complete


async def _read_objects(
    context: CycleContext, lookups: Sequence[Lookup]
) -> LookupAnswer:
    return await ask_until_whole(context, partial(_read_once, context, lookups))


def _pick_one(lookup: Lookup, answer: LookupAnswer) -> LookupResult | None:
    """Return the object that was found, or None; raises Refused for several."""
    records, complete = answer
    objects = {
        each.id: each
        for each in records
        if isinstance(each, InScope | OutOfScope | Tombstone)
    }
    if len(objects) > 1:
        raise Refused(
            f'{len(objects)} objects match "{lookup.value}": '
            f"{', '.join(sorted(objects)[:MAX_SUGGESTED])}"
            f"{', …' if len(objects) > MAX_SUGGESTED else ''}. "
            "Name one by its objectGUID."
        )
    found = (LookupResult(each, tuple(records), complete) for each in objects.values())
    return next(found, None)


async def _find_in_log(context: CycleContext, name: str) -> str | None:
    """Return the objectGUID that the log last recorded under this name."""
    query = LogQuery(job=context.job.name, object=name)
    entries = await context.store.list_log_entries(
        query, first=1, last=LAST_LOG_NUMBER, limit=1000
    )
    return entries[-1][1].object if entries else None


def _require_own_domain(context: CycleContext, lookup: Lookup) -> None:
    domain = _domain_of_dn(lookup.value) if lookup.by == "dn" else None
    if domain is not None and domain != context.job.domain:
        raise Refused(
            f'"{lookup.value}" is in the domain "{domain}", but the job '
            f'"{context.job.name}" reads "{context.job.domain}". Name a job of that '
            "domain: `cloudforest job list` lists them."
        )


async def find_object(context: CycleContext, lookup: Lookup) -> LookupResult | None:
    """Return the object as the directory shows it now, or None.

    Deleted objects have lost their names: look those up by the objectGUID in the log.
    Raises Refused for several objects, or one of another domain.
    """
    _require_own_domain(context, lookup)
    found = _pick_one(
        lookup, await _read_objects(context, _expand_lookup(context, lookup))
    )
    if found is not None or lookup.by != "attribute":
        return found
    guid = await _find_in_log(context, lookup.value)
    if guid is None:
        return None
    return _pick_one(
        lookup, await _read_objects(context, [Lookup(by="guid", value=guid)])
    )
