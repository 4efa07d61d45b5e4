"""Explains one object's way through a job, from the directory to the request.

An operator names the object; the directory is asked which one is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cloudforest.base.errors import Refused
from cloudforest.model.cycles import LogQuery
from cloudforest.model.effects import Effect
from cloudforest.model.messages import (
    InScope,
    Lookup,
    Members,
    OutOfScope,
    Record,
    Tombstone,
)
from cloudforest.model.program import Attribute
from cloudforest.model.source import SourceObject
from cloudforest.program.digest import COMPUTED_ATTRIBUTES, select_attributes_to_read
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.evaluation.decide import (
    decide_effect,
    find_waiting_effect,
    map_source_object,
)
from cloudforest.provisioning.evaluation.evaluate import needs_unique_value
from cloudforest.provisioning.evaluation.references import (
    build_reference_effect,
    load_referable_objects,
)
from cloudforest.provisioning.explanation.scope import (
    UNKNOWN,
    explain_import_and_scope,
    explain_leaver,
)
from cloudforest.provisioning.explanation.steps import (
    ExplanationStep,
    Steps,
    build_explanation,
    explain_act,
    explain_link,
    explain_mapping,
    explain_match,
    prefer_held_effect,
)
from cloudforest.provisioning.imports import (
    ask_until_whole,
    build_request,
    read_answer,
    require_same_directory,
)
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.matching import Match, Matcher
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
        added = [each for each in self.records if isinstance(each, Members)]
        return tuple(guid for each in added for guid in each.add)


def _expand_lookup(context: CycleContext, lookup: Lookup) -> tuple[Lookup, ...]:
    """Look up a value without an attribute in each matching attribute.

    These are the attributes that objects are matched by without an expression.
    """
    if lookup.by != "attribute" or lookup.attribute is not None:
        return (lookup,)
    matching = [
        rule.expression.name.lower()
        for mapper in build_mappers(context.program).values()
        for rule in mapper.matching_mappings
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
    watermark = await context.store.load_watermark(context.live_read_key)
    directory = (watermark and watermark.directory) or closing.directory
    return records, require_same_directory(context, closing, directory).complete


async def _read_object(
    context: CycleContext, name: str, lookups: Sequence[Lookup]
) -> LookupResult | None:
    """Return the object that was found, or None; raises Refused for several."""
    read = partial(_read_once, context, lookups)
    records, complete = await ask_until_whole(context, read)
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


async def _preview_effects(
    context: CycleContext, candidate: Candidate, match: Match
) -> list[Effect]:
    """Return the effects that the next cycle would put into the outbox."""
    now = context.clock()
    main = find_waiting_effect(candidate, now) or decide_effect(candidate, match, now)
    if main is not None:
        main = prefer_held_effect(main, candidate.previous)
    if main is not None and main.state != "pending":
        return [main]
    guids = [guid for some in candidate.desired.references.values() for guid in some]
    reference = build_reference_effect(
        candidate, main, referable=await load_referable_objects(context, guids)
    )
    if reference is not None and main is None:
        key = reference.key
        previous = await context.store.load_effects(context.key_name, [key])
        reference = prefer_held_effect(reference, previous.get(key))
    return [each for each in (main, reference) if each is not None]


async def _match_and_decide(
    context: CycleContext, source: SourceObject, mapper: Mapper
) -> tuple[Steps, list[Effect]]:
    """Explain the match as an evaluation would do it; return the effects too."""
    guid = source.object_guid
    link = (await context.load_links([guid])).get(guid)
    previous = (await context.store.load_effects(context.key_name, [guid])).get(guid)
    candidate = map_source_object(
        source, mapper, link=link, previous=previous, now=context.clock()
    )
    if not isinstance(candidate, Candidate):
        steps = {"match": explain_link(link)} if link else {}
        return steps, [] if candidate is None else [candidate]
    match, step = await explain_match(context, candidate)
    if needs_unique_value(candidate, match):
        # As a cycle would choose if it started with this object.
        try:
            chosen = await Matcher(context).choose_unique_values(mapper, [candidate])
        finally:
            await context.store.clear_snapshot(context.snapshot_key)
        candidate = replace(candidate, unique_values=chosen.get(guid, {}))
    return {"match": step}, await _preview_effects(context, candidate, match)


async def _explain_in_scope(
    context: CycleContext, record: InScope, members: Sequence[str]
) -> Steps:
    """Explain the steps match, map and act."""
    mapper = build_mappers(context.program, context.clock()).get(record.type)
    if mapper is None:
        return {}
    stored = await context.store.load_source_object(context.key_name, record.id)
    # The previous values of hidden attributes may still be there.
    previous = stored.attributes if stored is not None else {}
    hidden = {name: previous[name] for name in record.missing if name in previous}
    source = SourceObject(
        object_guid=record.id,
        type=record.type,
        dn=record.dn,
        parent=record.parent,
        source_anchor=record.anchor,
        attributes=record.attributes | hidden,
        hidden=record.missing if stored is None else stored.hidden,
    )
    steps: Steps = {"map": explain_mapping(mapper, source)}
    match, effects = await _match_and_decide(context, source, mapper)
    group = record.id if record.type == "group" and mapper.members_mapping else None
    act = await explain_act(context, effects, group=group, members=members)
    return steps | match | {"act": act}


async def explain_steps(context: CycleContext, found: LookupResult | None) -> Steps:
    """Explain all steps of an object that was looked up; write nothing."""
    if found is None:
        unknown = UNKNOWN.format(context.job.domain)
        return {"import": ExplanationStep("unknown", unknown)}
    record, members = found.record, found.members
    steps = await explain_import_and_scope(context, record, members)
    if isinstance(record, InScope):
        return steps | await _explain_in_scope(context, record, members)
    return steps | await explain_leaver(context, record)


async def explain_object(context: CycleContext, lookup: Lookup) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`; write nothing."""
    found = await find_object(context, lookup)
    steps = await explain_steps(context, found)
    return build_explanation(found.record.id if found else lookup.value, steps)
