"""Looks up an object in the directory by the name that an operator gave."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from cloudforest.base.errors import Refused
from cloudforest.model.cycles import LogQuery
from cloudforest.model.messages import (
    InScope,
    Lookup,
    Members,
    OutOfScope,
    Record,
    Tombstone,
)
from cloudforest.model.program import Attribute
from cloudforest.program.attributes_read import COMPUTED_ATTRIBUTES
from cloudforest.program.digest import select_attributes_to_read
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.provisioning.imports import (
    ask_until_whole,
    build_request,
    read_answer,
    require_same_directory,
)
from cloudforest.provisioning.mapper import build_mappers
from cloudforest.provisioning.run import CycleContext

USER_PRINCIPAL_NAME = "userprincipalname"
LAST_LOG_NUMBER = 10**18
MAX_SUGGESTED = 10


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


def _expand_lookup(context: CycleContext, lookup: Lookup) -> tuple[Lookup, ...]:
    """Look up a value without an attribute in each matching attribute.

    These are the attributes that objects are matched by without an expression.
    """
    if lookup.by != "attribute" or lookup.attribute is not None:
        return (lookup,)
    rules = [
        rule
        for mapper in build_mappers(context.program).values()
        for rule in mapper.matching_mappings
    ]
    matching = [
        rule.expression.name.lower()
        for rule in rules
        if isinstance(rule.expression, Attribute)
    ]
    return tuple(
        Lookup(by="attribute", attribute=each, value=lookup.value)
        for each in dict.fromkeys([USER_PRINCIPAL_NAME, *matching])
        if each not in COMPUTED_ATTRIBUTES
    )


def list_all_attributes(context: CycleContext) -> tuple[str, ...]:
    """Return the attributes that the job reads of objects of any type."""
    by_type = select_attributes_to_read(context.program).values()
    return tuple(sorted({name for names in by_type for name in names}))


async def _read_once(
    context: CycleContext, lookups: Sequence[Lookup]
) -> tuple[list[Record], bool]:
    """Return the records, and whether the answer was complete."""
    request = await build_request(
        context,
        "read",
        lookups=tuple(lookups),
        prove=list_all_attributes(context),
        explain=True,
    )
    records, closing = await read_answer(context, request)
    watermark = await context.store.load_watermark(context.live_key)
    directory = watermark.directory if watermark else None
    directory = directory or closing.directory
    return records, require_same_directory(context, closing, directory).complete


async def _read_object(
    context: CycleContext, name: str, lookups: Sequence[Lookup]
) -> LookupResult | None:
    """Return the object that was found, or None; raises Refused for several."""
    records, complete = await ask_until_whole(
        context, partial(_read_once, context, lookups)
    )
    objects = {
        each.id: each
        for each in records
        if isinstance(each, InScope | OutOfScope | Tombstone)
    }
    if len(objects) > 1:
        raise Refused(
            f'{len(objects)} objects match "{name}": '
            f"{', '.join(sorted(objects)[:MAX_SUGGESTED])}"
            f"{', …' if len(objects) > MAX_SUGGESTED else ''}. "
            "Name one by its objectGUID."
        )
    found = (LookupResult(each, tuple(records), complete) for each in objects.values())
    return next(found, None)


def _require_own_domain(context: CycleContext, lookup: Lookup) -> None:
    """Raise Refused if the lookup is by a DN of another domain."""
    if lookup.by != "dn":
        return
    with suppress(SyntaxFault):
        parts = parse_dn(lookup.value)
        domain = ".".join(p.removeprefix("dc=") for p in parts if p.startswith("dc="))
        if domain and domain != context.job.domain:
            raise Refused(
                f'"{lookup.value}" is in the domain "{domain}", but the job '
                f'"{context.job.name}" reads "{context.job.domain}". Name a job of '
                "that domain: `cloudforest job list` lists them."
            )


async def find_object(context: CycleContext, lookup: Lookup) -> LookupResult | None:
    """Return the object as the directory shows it now, or None.

    Deleted objects have lost their names: look those up by the objectGUID in the log.
    Raises Refused for several objects, or one of another domain.
    """
    _require_own_domain(context, lookup)
    lookups = _expand_lookup(context, lookup)
    found = await _read_object(context, lookup.value, lookups)
    if found is not None or lookup.by != "attribute":
        return found
    query = LogQuery(job=context.job.name, object=lookup.value)
    entries = await context.store.list_log_entries(
        query, first=1, last=LAST_LOG_NUMBER, limit=1000
    )
    if not entries:
        return None
    _, last = entries[-1]
    by_guid = Lookup(by="guid", value=last.object)
    return await _read_object(context, lookup.value, [by_guid])
