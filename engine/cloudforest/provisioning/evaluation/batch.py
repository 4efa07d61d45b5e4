"""Evaluates one batch of objects with a fixed number of queries, whatever its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as dataclasses_replace

from msgspec.structs import replace

from cloudforest.model.effects import Effect, EvaluatedBatch
from cloudforest.model.ports.target import Refusal, ResourceNotFound
from cloudforest.model.source import KEPT_PRESENCES, Link, SourceObject
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.evaluation.decide import (
    decide_effect,
    decide_references,
    find_waiting_effect,
    map_source_object,
)
from cloudforest.provisioning.evaluation.deprovision import (
    EffectsByKey,
    evaluate_leavers,
    find_held_by_siblings,
)
from cloudforest.provisioning.evaluation.references import (
    ReferableObjects,
    add_linked_references,
    load_referable_objects,
)
from cloudforest.provisioning.evaluation.state import (
    Evaluation,
    add_effect,
    add_escrowed_effect,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    CheckedLinks,
    Match,
    UnlinkedObject,
    check_links,
)
from cloudforest.provisioning.unique_values import (
    UniqueValueRequest,
    UniqueValues,
    choose_unique_values,
)


async def _retain_present_members(
    evaluation: Evaluation, mapper: Mapper, link: Link
) -> None:
    """Forget written members that the group no longer has.

    If the target does not tell, keep them all: a forgotten member is never removed.
    """
    context = evaluation.context
    try:
        present = await context.target.list_member_ids(
            mapper.resource_type, link.resource
        )
    except ResourceNotFound:
        present = frozenset()
    except Refusal:
        return
    await context.store.retain_written_members(
        context.job.target, link.object_guid, present
    )


async def recheck_links(
    evaluation: Evaluation, sources: Sequence[SourceObject], links: Mapping[str, Link]
) -> CheckedLinks:
    """Return the present resources of links that a restart has marked unchecked."""
    checked = CheckedLinks()
    for kind, mapper in evaluation.mappers.items():
        linked = [
            links[source.object_guid]
            for source in sources
            if source.type == kind and source.object_guid in links
        ]
        unchecked = {each.resource: each for each in linked if not each.checked}
        if unchecked:
            await check_links(evaluation.matcher, mapper, unchecked, checked)
        for link in unchecked.values() if mapper.members_mapping else ():
            await _retain_present_members(evaluation, mapper, link)
    return checked


def needs_unique_value(candidate: Candidate, match: Match) -> bool:
    """Tell whether the object will be created and its mapping selects unique values."""
    is_new = candidate.link is None and candidate.observed is None and match is None
    return is_new and bool(candidate.desired.candidates)


async def add_unique_values(
    evaluation: Evaluation,
    candidates: Sequence[Candidate],
    matches: Mapping[str, Match],
) -> list[Candidate]:
    """Choose the unique values of the objects that will be created."""
    chosen: UniqueValues = {}
    for mapper in evaluation.mappers.values():
        requests = [
            UniqueValueRequest(
                object_guid=each.source.object_guid, options=each.desired.candidates
            )
            for each in candidates
            if each.mapper is mapper
            and needs_unique_value(each, matches.get(each.source.object_guid))
        ]
        if requests:
            chosen |= await choose_unique_values(evaluation.matcher, mapper, requests)
    return [
        dataclasses_replace(each, unique_values=chosen[each.source.object_guid])
        if each.source.object_guid in chosen
        else each
        for each in candidates
    ]


async def _map_objects(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> list[Candidate | Effect | None]:
    """Map the objects; None stands for one that its mapping ignores."""
    context = evaluation.context
    links = await context.store.load_links(
        context.job.target, [each.object_guid for each in sources]
    )
    checked = await recheck_links(evaluation, sources, links)
    mapped = [
        map_source_object(
            source,
            evaluation.mappers[source.type],
            link=None
            if source.object_guid in checked.missing
            else links.get(source.object_guid),
            previous=previous.get(source.object_guid),
            now=evaluation.now,
        )
        for source in sources
    ]
    return [
        dataclasses_replace(each, observed=checked.observed[each.source.object_guid])
        if isinstance(each, Candidate) and each.source.object_guid in checked.observed
        else each
        for each in mapped
    ]


async def _match_unlinked(
    evaluation: Evaluation, candidates: Sequence[Candidate]
) -> dict[str, Match]:
    """Match the objects that have no link, type by type."""
    matches: dict[str, Match] = {}
    for mapper in evaluation.mappers.values():
        unlinked = [
            UnlinkedObject(
                object_guid=each.source.object_guid, values=each.desired.values
            )
            for each in candidates
            if each.mapper is mapper and each.link is None
        ]
        matches |= await evaluation.matcher.match_objects(mapper, unlinked)
    return matches


def _referenced_guids(candidate: Candidate) -> Iterator[str]:
    for path in candidate.mapper.reference_mappings:
        yield from candidate.desired.references.get(path, ())


def _count_object(
    evaluation: Evaluation,
    candidate: Candidate,
    main_effect: Effect | None,
    reference_effect: Effect | None,
) -> None:
    """Count an object; pending references without a budget are counted later."""
    effect = main_effect or reference_effect
    if effect is None:
        evaluation.context.counts.unchanged += 1
    elif effect.state == "escrowed":
        previous = candidate.previous if main_effect else effect
        add_escrowed_effect(evaluation, effect, candidate.source.dn, previous)
    if main_effect is not None:
        add_effect(evaluation, main_effect)
    if reference_effect is not None and (
        reference_effect.guards or reference_effect.state != "pending"
    ):
        add_effect(evaluation, reference_effect)


def _decide_effect(
    evaluation: Evaluation,
    candidate: Candidate,
    match: Match,
    referable: ReferableObjects,
) -> Effect | None:
    """Return the object's write after stage decisions and free creations."""
    effect = add_linked_references(
        candidate, decide_effect(candidate, match, evaluation.now), referable
    )
    if effect is None or effect.state != "pending":
        return effect
    if evaluation.has_free_creates:
        free = tuple(each for each in effect.guards if each != "creates")
        effect = replace(effect, guards=free)
    return evaluation.stage_decisions.apply_to(effect, candidate.previous)


async def _evaluate_candidates(
    evaluation: Evaluation, candidates: Sequence[Candidate], previous: EffectsByKey
) -> list[Effect]:
    now = evaluation.now
    waiting = {
        each.source.object_guid: effect
        for each in candidates
        if (effect := find_waiting_effect(each, now))
    }
    due = [each for each in candidates if each.source.object_guid not in waiting]
    matches = await _match_unlinked(evaluation, due)
    with_values = {
        each.source.object_guid: each
        for each in await add_unique_values(evaluation, due, matches)
    }
    candidates = [with_values.get(each.source.object_guid, each) for each in candidates]
    referenced = [guid for each in candidates for guid in _referenced_guids(each)]
    referable = await load_referable_objects(evaluation.context, referenced)
    effects: list[Effect] = []
    for candidate in candidates:
        guid = candidate.source.object_guid
        main = waiting.get(guid) or _decide_effect(
            evaluation, candidate, matches.get(guid), referable
        )
        previous_reference = previous.get(f"{guid}/r")
        reference = decide_references(
            candidate,
            main,
            previous=previous_reference,
            referable=referable,
            now=now,
        )
        if reference is not None and reference.state == "pending":
            reference = evaluation.stage_decisions.apply_to(
                reference, previous_reference
            )
        _count_object(evaluation, candidate, main, reference)
        effects += [each for each in (main, reference) if each is not None]
    return effects


async def _evaluate_in_scope(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> EvaluatedBatch:
    """Return what a batch of objects in scope needs, and count it.

    Ignored objects stay unsettled: the passing of time alone may change the decision.
    """
    mapped = [each for each in sources if each.type in evaluation.mappers]
    evaluation.context.counts.skipped += len(sources) - len(mapped)
    effects: list[Effect] = []
    candidates: list[Candidate] = []
    ignored: set[str] = set()
    for source, each in zip(
        mapped, await _map_objects(evaluation, mapped, previous), strict=True
    ):
        if each is None:
            ignored.add(source.object_guid)
        elif isinstance(each, Candidate):
            candidates.append(each)
        else:
            add_escrowed_effect(
                evaluation, each, source.dn, previous.get(source.object_guid)
            )
            effects.append(each)
    effects += await _evaluate_candidates(evaluation, candidates, previous)
    evaluation.context.counts.skipped += len(ignored)
    return EvaluatedBatch(
        ids=tuple(
            each.object_guid for each in mapped if each.object_guid not in ignored
        ),
        effects=tuple(effects),
        references={
            each.source.object_guid: tuple(_referenced_guids(each))
            for each in candidates
        },
    )


async def evaluate_batch(
    evaluation: Evaluation, sources: Sequence[SourceObject]
) -> None:
    """Put the effects of a batch of objects into the outbox, and count them.

    A leaver that a sibling job holds is forgotten. If that job is removed later, the
    resources that it alone held stay in place.
    """
    context = evaluation.context
    keys = [
        key for each in sources for key in (each.object_guid, f"{each.object_guid}/r")
    ]
    previous = await context.store.load_effects(context.live_read_key, keys)
    kept = [each for each in sources if each.presence in KEPT_PRESENCES]
    away = [each for each in sources if each.presence not in KEPT_PRESENCES]
    by_siblings = await find_held_by_siblings(
        context, [each.object_guid for each in away]
    )
    leavers = [each for each in away if each.object_guid not in by_siblings]
    evaluated = await _evaluate_in_scope(evaluation, kept, previous)
    deprovisioned = (
        await evaluate_leavers(evaluation, leavers, previous) if leavers else []
    )
    evaluated = replace(
        evaluated,
        ids=(*evaluated.ids, *[each.object_guid for each in leavers]),
        effects=(*evaluated.effects, *deprovisioned),
        kept_by_siblings=tuple(by_siblings),
    )
    if context.is_scratch:
        # A plan's rows are evaluated only once, so there is nothing to settle.
        evaluated = replace(evaluated, ids=(), references={})
    await context.store.save_evaluated_batch(
        context.key_name, context.cycle_id, evaluation.settled_digest, evaluated
    )
