"""Explain: one object's steps through a job, from the directory to the request."""

from __future__ import annotations

from dataclasses import replace as altered
from typing import Any

from cloudforest.model.effects import Effect
from cloudforest.model.messages import InScope, Lookup, OutOfScope, Tombstone
from cloudforest.model.source import SourceObject
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.evaluation.batch import needs_unique_value
from cloudforest.provisioning.evaluation.decide import (
    decide_effect,
    find_waiting_effect,
    map_source_object,
)
from cloudforest.provisioning.evaluation.references import (
    build_reference_effect,
    load_referable_objects,
)
from cloudforest.provisioning.explanation.act import explain_act, prefer_held_effect
from cloudforest.provisioning.explanation.lookup import LookupResult, find_object
from cloudforest.provisioning.explanation.scope import (
    explain_import_and_scope,
    explain_leaver,
)
from cloudforest.provisioning.explanation.steps import (
    ExplanationStep,
    Steps,
    build_explanation,
    explain_link,
    explain_mapping,
    explain_match,
)
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.matching import Match, Matcher
from cloudforest.provisioning.run import CycleContext
from cloudforest.provisioning.unique_values import (
    UniqueValueRequest,
    choose_unique_values,
)


async def _foreseen_effects(
    context: CycleContext, candidate: Candidate, match: Match
) -> list[Effect]:
    """Return what the next cycle would put into the outbox for the object."""
    now = context.clock()
    main = find_waiting_effect(candidate, now) or decide_effect(candidate, match, now)
    if main is not None:
        main = prefer_held_effect(main, candidate.previous)
    if main is not None and main.state != "pending":
        return [main]
    named = [guid for guids in candidate.desired.references.values() for guid in guids]
    other = build_reference_effect(
        candidate, main, referable=await load_referable_objects(context, named)
    )
    if other is not None and main is None:
        before = await context.store.load_effects(context.key_name, [other.key])
        other = prefer_held_effect(other, before.get(other.key))
    return [each for each in (main, other) if each is not None]


async def _match_and_decide(
    context: CycleContext, source: SourceObject, mapper: Mapper
) -> tuple[Steps, list[Effect]]:
    """Explain the match by the steps of an evaluation; return what follows."""
    links = await context.store.load_links(context.job.target, [source.object_guid])
    link = links.get(source.object_guid)
    prior = (
        await context.store.load_effects(context.key_name, [source.object_guid])
    ).get(source.object_guid)
    candidate = map_source_object(
        source, mapper, link=link, previous=prior, now=context.clock()
    )
    if candidate is None:
        return {"match": explain_link(link)} if link else {}, []
    if isinstance(candidate, Effect):
        return {"match": explain_link(link)} if link else {}, [candidate]
    match, step = await explain_match(context, candidate)
    if needs_unique_value(candidate, match):
        candidate = await _with_unique_values(context, candidate)
    return {"match": step}, await _foreseen_effects(context, candidate, match)


async def _with_unique_values(context: CycleContext, candidate: Candidate) -> Candidate:
    """Choose as a cycle does that has given nothing away yet."""
    waiting = UniqueValueRequest(
        object_guid=candidate.source.object_guid, options=candidate.desired.candidates
    )
    try:
        chosen = await choose_unique_values(
            Matcher(context), candidate.mapper, [waiting]
        )
    finally:
        await context.store.clear_snapshot(context.snapshot_key)
    return altered(
        candidate, unique_values=chosen.get(candidate.source.object_guid, {})
    )


def _kept_attributes(
    record: InScope, stored: SourceObject | None
) -> dict[str, tuple[str, ...]]:
    """Return what the object showed before, and what nothing proves to be gone."""
    before = stored.attributes if stored is not None else {}
    return {name: before[name] for name in record.missing if name in before}


async def _explain_in_scope(
    context: CycleContext, record: InScope, found: LookupResult
) -> Steps:
    """Explain match, map and act."""
    mapper = build_mappers(context.program, context.clock()).get(record.type)
    if mapper is None:
        return {}
    stored = await context.store.load_source_object(context.key_name, record.id)
    source = SourceObject(
        object_guid=record.id,
        type=record.type,
        dn=record.dn,
        parent=record.parent,
        source_anchor=record.anchor,
        attributes=record.attributes | _kept_attributes(record, stored),
        hidden=record.missing if stored is None else stored.hidden,
    )
    steps: dict[str, ExplanationStep] = {"map": explain_mapping(mapper, source)}
    match, effects = await _match_and_decide(context, source, mapper)
    group = record.id if record.type == "group" and mapper.members_mapping else None
    act = await explain_act(context, effects, group=group, members=found.members)
    return steps | dict(match) | {"act": act}


async def explain_steps(
    context: CycleContext, found: LookupResult | None
) -> dict[str, ExplanationStep]:
    """Explain an object as it was found; write nothing."""
    steps = dict(await explain_import_and_scope(context, found))
    match found and found.record:
        case InScope() as record if found is not None:
            return steps | dict(await _explain_in_scope(context, record, found))
        case OutOfScope() | Tombstone() as record:
            return steps | dict(await explain_leaver(context, record))
        case _:
            return steps


async def explain_object(context: CycleContext, lookup: Lookup) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`; write nothing."""
    found = await find_object(context, lookup)
    steps = await explain_steps(context, found)
    return build_explanation(found.record.id if found else lookup.value, steps)
