"""Evaluates one batch of objects: a fixed number of queries, whatever its size.

After a restart that doubts links: what the target really holds under their ids.

Unique values for the objects of a batch that are to be created.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as altered

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
    """Count no longer as written what the group does not have.

    A target that does not say leaves it as it was: we would never remove anybody.
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


async def check_doubted_links(
    evaluation: Evaluation, sources: Sequence[SourceObject], links: Mapping[str, Link]
) -> CheckedLinks:
    """Return the resources of the doubted links, as the target holds them now."""
    looked = CheckedLinks()
    for kind, mapper in evaluation.mappers.items():
        its = [
            links[row.object_guid]
            for row in sources
            if row.type == kind and row.object_guid in links
        ]
        doubted = {each.resource: each for each in its if not each.checked}
        if doubted:
            await check_links(evaluation.matcher, mapper, doubted, looked)
        for link in doubted.values() if mapper.members_mapping else ():
            await _retain_present_members(evaluation, mapper, link)
    return looked


def needs_unique_value(candidate: Candidate, match: Match) -> bool:
    """Tell whether the object is to be created, with a value of its own."""
    new = candidate.link is None and candidate.observed is None and match is None
    return new and bool(candidate.desired.candidates)


async def add_unique_values(
    evaluation: Evaluation,
    candidates: Sequence[Candidate],
    matches: Mapping[str, Match],
) -> list[Candidate]:
    """Choose the unique values of those who are to be created."""
    chosen: UniqueValues = {}
    for mapper in evaluation.mappers.values():
        waiting = [
            UniqueValueRequest(
                object_guid=item.source.object_guid, options=item.desired.candidates
            )
            for item in candidates
            if item.mapper is mapper
            and needs_unique_value(item, matches.get(item.source.object_guid))
        ]
        if waiting:
            chosen |= await choose_unique_values(evaluation.matcher, mapper, waiting)
    return [
        altered(each, unique_values=chosen[each.source.object_guid])
        if each.source.object_guid in chosen
        else each
        for each in candidates
    ]


EffectsByKey = Mapping[str, Effect]


async def _map_objects(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> list[Candidate | Effect | None]:
    """Map the objects; None is one that the mapping leaves as it is."""
    context = evaluation.context
    links = await context.store.load_links(
        context.job.target, [row.object_guid for row in sources]
    )
    looked = await check_doubted_links(evaluation, sources, links)
    examined = [
        map_source_object(
            row,
            evaluation.mappers[row.type],
            link=None
            if row.object_guid in looked.missing
            else links.get(row.object_guid),
            previous=previous.get(row.object_guid),
            now=evaluation.now,
        )
        for row in sources
    ]
    return [
        altered(each, observed=looked.observed[each.source.object_guid])
        if isinstance(each, Candidate) and each.source.object_guid in looked.observed
        else each
        for each in examined
    ]


async def _match_unlinked(
    evaluation: Evaluation, candidates: Sequence[Candidate]
) -> dict[str, Match]:
    """Match those of the objects that have no link, type by type."""
    matches: dict[str, Match] = {}
    for mapper in evaluation.mappers.values():
        wanted = [
            UnlinkedObject(
                object_guid=item.source.object_guid, values=item.desired.values
            )
            for item in candidates
            if item.mapper is mapper and item.link is None
        ]
        matches |= await evaluation.matcher.match_objects(mapper, wanted)
    return matches


def _referenced_guids(candidate: Candidate) -> Iterator[str]:
    """Yield whom the object refers to."""
    for path in candidate.mapper.reference_mappings:
        yield from candidate.desired.references.get(path, ())


async def _load_referable(
    evaluation: Evaluation, candidates: Sequence[Candidate]
) -> ReferableObjects:
    """Return the objects that references may name."""
    named = [guid for item in candidates for guid in _referenced_guids(item)]
    return await load_referable_objects(evaluation.context, named)


def _count_object(
    evaluation: Evaluation,
    candidate: Candidate,
    main_effect: Effect | None,
    reference_effect: Effect | None,
) -> None:
    """Count an object; references that no budget bears are counted later."""
    first = main_effect or reference_effect
    if first is None:
        evaluation.context.counts.unchanged += 1
    elif first.state == "escrowed":
        prior = candidate.previous if main_effect else first
        add_escrowed_effect(evaluation, first, candidate.source.dn, prior)
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
    """Return the object's write as it stands. A first cycle may create freely."""
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
    kept = {
        item.source.object_guid: effect
        for item in candidates
        if (effect := find_waiting_effect(item, now))
    }
    free = [item for item in candidates if item.source.object_guid not in kept]
    matches = await _match_unlinked(evaluation, free)
    given = {
        each.source.object_guid: each
        for each in await add_unique_values(evaluation, free, matches)
    }
    candidates = [given.get(each.source.object_guid, each) for each in candidates]
    ends = await _load_referable(evaluation, candidates)
    effects: list[Effect] = []
    for candidate in candidates:
        id_ = candidate.source.object_guid
        main = kept.get(id_) or _decide_effect(
            evaluation, candidate, matches.get(id_), ends
        )
        elder = previous.get(f"{id_}/r")
        other = decide_references(
            candidate, main, previous=elder, referable=ends, now=now
        )
        if other is not None and other.state == "pending":
            other = evaluation.stage_decisions.apply_to(other, elder)
        _count_object(evaluation, candidate, main, other)
        effects += [each for each in (main, other) if each is not None]
    return effects


async def _evaluate_in_scope(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> EvaluatedBatch:
    """Return what a batch of objects in scope needs, counted.

    Who is ignored stays unsettled: time may change it, without a change of the object.
    """
    mapped = [row for row in sources if row.type in evaluation.mappers]
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
        ids=tuple(row.object_guid for row in mapped if row.object_guid not in ignored),
        effects=tuple(effects),
        references={
            item.source.object_guid: tuple(_referenced_guids(item))
            for item in candidates
        },
    )


async def evaluate_batch(
    evaluation: Evaluation, sources: Sequence[SourceObject]
) -> None:
    """Put the effects of a batch of objects into the outbox, and count them.

    Who left and is held by another job of the target is forgotten: should that job be
    removed, what it alone held stays in place.
    """
    context = evaluation.context
    keys = [key for row in sources for key in (row.object_guid, f"{row.object_guid}/r")]
    prior = await context.store.load_effects(context.live_key, keys)
    there = [row for row in sources if row.presence in KEPT_PRESENCES]
    away = [row for row in sources if row.presence not in KEPT_PRESENCES]
    left = await find_held_by_siblings(context, [row.object_guid for row in away])
    lost = [row for row in away if row.object_guid not in left]
    evaluated = await _evaluate_in_scope(evaluation, there, prior)
    deprovisioned = await evaluate_leavers(evaluation, lost, prior) if lost else []
    evaluated = replace(
        evaluated,
        ids=(*evaluated.ids, *[row.object_guid for row in lost]),
        effects=(*evaluated.effects, *deprovisioned),
        kept_by_siblings=tuple(left),
    )
    if context.is_scratch:
        # Nobody evaluates scratch rows again: which of them are settled says nothing.
        evaluated = replace(evaluated, ids=(), references={})
    await context.store.save_evaluated_batch(
        context.key_name, context.cycle_id, evaluation.settled_digest, evaluated
    )
