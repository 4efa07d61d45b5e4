"""Explains one object's way through a job, from the directory to the request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudforest.model.effects import Effect
from cloudforest.model.messages import InScope, Lookup
from cloudforest.model.source import SourceObject
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
from cloudforest.provisioning.explanation.lookup import LookupResult, find_object
from cloudforest.provisioning.explanation.scope import (
    explain_import_and_scope,
    explain_leaver,
)
from cloudforest.provisioning.explanation.steps import (
    Steps,
    build_explanation,
    explain_act,
    explain_link,
    explain_mapping,
    explain_match,
    prefer_held_effect,
)
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.matching import Match, Matcher
from cloudforest.provisioning.run import CycleContext


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
    context: CycleContext, record: InScope, found: LookupResult
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
    act = await explain_act(context, effects, group=group, members=found.members)
    return steps | match | {"act": act}


async def explain_steps(context: CycleContext, found: LookupResult | None) -> Steps:
    """Explain all steps of an object that was looked up; write nothing."""
    steps = await explain_import_and_scope(context, found)
    if found is None:
        return steps
    if isinstance(found.record, InScope):
        return steps | await _explain_in_scope(context, found.record, found)
    return steps | await explain_leaver(context, found.record)


async def explain_object(context: CycleContext, lookup: Lookup) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`; write nothing."""
    found = await find_object(context, lookup)
    steps = await explain_steps(context, found)
    return build_explanation(found.record.id if found else lookup.value, steps)
