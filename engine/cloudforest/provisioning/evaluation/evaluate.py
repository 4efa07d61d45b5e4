"""Evaluates a whole job: objects, references, memberships, and the guard.

Objects are evaluated in batches, each with a fixed number of queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as dataclasses_replace
from operator import attrgetter

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError
from cloudforest.model.effects import Effect, EvaluatedBatch
from cloudforest.model.source import KEPT_PRESENCES, Link, SourceObject, TargetResource
from cloudforest.model.stages import ExceededBudget
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.evaluation.decide import (
    decide_deprovision,
    decide_effect,
    decide_references,
    find_waiting_effect,
    map_source_object,
)
from cloudforest.provisioning.evaluation.guard import (
    MEMBER_BUDGETS,
    OBJECT_BUDGETS,
    apply_guard,
    drop_superseded,
    record_remaining_rekeys,
)
from cloudforest.provisioning.evaluation.members import evaluate_members
from cloudforest.provisioning.evaluation.references import (
    ReferableObjects,
    add_linked_references,
    evaluate_references,
    load_referable_objects,
)
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.mapper import build_mappers
from cloudforest.provisioning.matching import (
    Match,
    Matcher,
    UniqueValues,
    list_present_members,
)
from cloudforest.provisioning.run import CycleContext, read_pages

BATCH = 500
EffectsByKey = Mapping[str, Effect]


async def _recheck_links(
    evaluation: Evaluation, links: Mapping[str, Link]
) -> dict[str, TargetResource | None]:
    """Return the resources of links that a restart has marked unchecked.

    Forget written members that a group no longer has. If the target does not tell, keep
    them all: a forgotten member is never removed.
    """
    context = evaluation.context
    unchecked = [each for each in links.values() if not each.checked]
    checked = await evaluation.matcher.check_links(evaluation.mappers, unchecked)
    for link in unchecked:
        mapper = evaluation.mappers.get(link.type)
        if mapper is None or not mapper.members_mapping:
            continue
        present = await list_present_members(
            context, mapper.resource_type, link.resource
        )
        if present is not None and not context.is_scratch:
            await context.store.retain_written_members(
                context.job.target, link.object_guid, present
            )
    return checked


async def _map_objects(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> list[Candidate | Effect | None]:
    """Map the objects; None stands for one that its mapping ignores."""
    links = await evaluation.context.load_links([each.object_guid for each in sources])
    checked = await _recheck_links(evaluation, links)
    mapped: list[Candidate | Effect | None] = []
    for source in sources:
        guid = source.object_guid
        observed = checked.get(guid)
        is_missing = guid in checked and observed is None
        each = map_source_object(
            source,
            evaluation.mappers[source.type],
            link=None if is_missing else links.get(guid),
            previous=previous.get(guid),
            now=evaluation.now,
        )
        if observed is not None and isinstance(each, Candidate):
            each = dataclasses_replace(each, observed=observed)
        mapped.append(each)
    return mapped


def needs_unique_value(candidate: Candidate, match: Match) -> bool:
    """Tell whether the object will be created and its mapping selects unique values."""
    is_new = candidate.link is None and candidate.observed is None and match is None
    return is_new and bool(candidate.desired.candidates)


async def _match_unlinked(
    evaluation: Evaluation, candidates: Sequence[Candidate]
) -> tuple[dict[str, Match], UniqueValues]:
    """Match the objects without a link; choose the unique values of the new ones."""
    matches: dict[str, Match] = {}
    unique_values: UniqueValues = {}
    unlinked = [each for each in candidates if each.link is None]
    for mapper in evaluation.mappers.values():
        mine = [each for each in unlinked if each.mapper is mapper]
        matches |= await evaluation.matcher.match_objects(mapper, mine)
    new = [
        each
        for each in unlinked
        if needs_unique_value(each, matches.get(each.object_guid))
    ]
    for mapper in evaluation.mappers.values():
        mine = [each for each in new if each.mapper is mapper]
        unique_values |= await evaluation.matcher.choose_unique_values(mapper, mine)
    return matches, unique_values


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
        evaluation.add_escrowed_effect(effect, candidate.source.dn, previous)
    if main_effect is not None:
        evaluation.add_effect(main_effect)
    if reference_effect is not None and (
        reference_effect.guards or reference_effect.state != "pending"
    ):
        evaluation.add_effect(reference_effect)


def _decide_effect(
    evaluation: Evaluation,
    candidate: Candidate,
    match: Match,
    referable: ReferableObjects,
) -> Effect | None:
    """Return the object's write after stage decisions and free creations."""
    effect = decide_effect(candidate, match, evaluation.now)
    if effect is None or effect.state != "pending":
        return effect
    if effect.is_creation:
        effect = add_linked_references(candidate, effect, referable)
    if evaluation.has_free_creates and "creates" in effect.guards:
        free = tuple(each for each in effect.guards if each != "creates")
        effect = replace(effect, guards=free)
    return evaluation.apply_stage_decision(effect, candidate.previous)


async def _evaluate_candidates(
    evaluation: Evaluation, candidates: Sequence[Candidate], previous: EffectsByKey
) -> list[Effect]:
    waiting = {
        each.object_guid: effect
        for each in candidates
        if (effect := find_waiting_effect(each, evaluation.now))
    }
    matches, unique_values = await _match_unlinked(
        evaluation, [each for each in candidates if each.object_guid not in waiting]
    )
    referable = await load_referable_objects(
        evaluation.context,
        [guid for each in candidates for guid in _referenced_guids(each)],
    )
    effects: list[Effect] = []
    for each in candidates:
        guid = each.object_guid
        values = unique_values.get(guid, {})
        candidate = dataclasses_replace(each, unique_values=values) if values else each
        main = waiting.get(guid) or _decide_effect(
            evaluation, candidate, matches.get(guid), referable
        )
        previous_reference = previous.get(f"{guid}/r")
        reference = decide_references(
            candidate,
            main,
            previous=previous_reference,
            referable=referable,
            now=evaluation.now,
        )
        if reference is not None and reference.state == "pending":
            reference = evaluation.apply_stage_decision(reference, previous_reference)
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
    ids: list[str] = []
    effects: list[Effect] = []
    candidates: list[Candidate] = []
    for source, each in zip(
        mapped, await _map_objects(evaluation, mapped, previous), strict=True
    ):
        if each is None:
            continue
        ids.append(source.object_guid)
        if isinstance(each, Candidate):
            candidates.append(each)
        else:
            before = previous.get(source.object_guid)
            evaluation.add_escrowed_effect(each, source.dn, before)
            effects.append(each)
    effects += await _evaluate_candidates(evaluation, candidates, previous)
    evaluation.context.counts.skipped += len(mapped) - len(ids)
    return EvaluatedBatch(
        ids=tuple(ids),
        effects=tuple(effects),
        references={
            each.object_guid: tuple(_referenced_guids(each)) for each in candidates
        },
    )


async def _evaluate_leavers(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> list[Effect]:
    """Return the effects of a batch of leavers, and count them.

    Resources of types that the job no longer maps stay unchanged.
    """
    links = await evaluation.context.load_links([each.object_guid for each in sources])
    effects: list[Effect] = []
    for source in sources:
        mapper = evaluation.mappers.get(source.type)
        link = links.get(source.object_guid)
        effect = decide_deprovision(source, mapper, link) if mapper and link else None
        if effect is None:
            continue
        before = previous.get(source.object_guid)
        is_same = before is not None and before.desired == effect.desired
        if before is not None and is_same and before.is_held(evaluation.now):
            effect = before
        else:
            effect = effect.retried_as(before if is_same else None)
            effect = evaluation.apply_stage_decision(effect, before)
        effects.append(effect)
        evaluation.add_effect(effect)
        if effect.state == "escrowed":
            evaluation.add_escrowed_effect(effect, source.dn, before)
        elif effect.state == "skipped" and (
            before is None or before.state != "skipped"
        ):
            evaluation.log_effect(effect, source.dn, "skipped")
    return effects


async def _evaluate_batch(
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
    by_siblings = await context.find_held_by_siblings(
        [each.object_guid for each in away]
    )
    leavers = [each for each in away if each.object_guid not in by_siblings]
    evaluated = await _evaluate_in_scope(evaluation, kept, previous)
    deprovisioned = await _evaluate_leavers(evaluation, leavers, previous)
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
        context.key_name, context.cycle_id, context.settled_digest, evaluated
    )
    await evaluation.save_log()


async def _evaluate_unsettled(evaluation: Evaluation) -> None:
    """Evaluate the objects that are not settled; the others need nothing."""
    context = evaluation.context
    settled, target = context.settled_digest, context.job.target
    in_scope, unchanged, due = await context.store.begin_evaluation(
        context.key_name, target, settled
    )
    context.counts.in_scope, context.counts.unchanged = in_scope, unchanged
    seen = unchanged
    context.report("evaluate", seen, unchanged + due)
    async for sources in read_pages(
        lambda after: context.store.list_source_objects(
            context.key_name, target, after, BATCH, settled=settled
        ),
        key_of=attrgetter("object_guid"),
    ):
        await _evaluate_batch(evaluation, sources)
        seen += len(sources)
        context.report("evaluate", seen, unchanged + due)


async def _evaluate_all(evaluation: Evaluation) -> None:
    """Stage objects first: references and members must not rely on staged ones."""
    context = evaluation.context
    if context.only_object is None:
        await _evaluate_unsettled(evaluation)
    else:
        source = await context.store.load_source_object(
            context.key_name, context.only_object
        )
        await _evaluate_batch(evaluation, [source] if source else [])
    await apply_guard(evaluation, OBJECT_BUDGETS)
    await record_remaining_rekeys(evaluation)
    await evaluate_references(evaluation)
    await evaluate_members(evaluation)
    await apply_guard(evaluation, MEMBER_BUDGETS)
    await drop_superseded(evaluation)
    await context.store.drop_stale_effects(
        context.key_name, context.cycle_id, only_object=context.only_object
    )


async def evaluate_job(context: CycleContext) -> Evaluation:
    """Fill the outbox with the writes of this cycle; send nothing to the target."""
    now = context.clock()
    budget = context.job.guard.get("creates")
    # `max: 0` forbids creations, also in the first cycle.
    may_create = budget is None or budget.max != 0
    stages = await context.store.list_stages(context.job.name)
    evaluation = Evaluation(
        context=context,
        mappers=build_mappers(context.program, now),
        matcher=Matcher(context),
        now=now,
        open_stages={each.id: each for each in stages},
        has_free_creates=may_create
        and not await context.store.has_finished_cycle(
            context.job.name, context.job.target
        ),
    )
    try:
        await _evaluate_all(evaluation)
    except CloudforestError:
        context.counts.forget_writes()
        raise
    finally:
        await context.store.clear_snapshot(context.snapshot_key)
    # The stages of earlier cycles, each with its count of waiting effects.
    evaluation.exceeded += [
        ExceededBudget(
            job=context.job.name,
            guard=evaluation.open_stages[digest].guard,
            effects=effects,
            limit=evaluation.open_stages[digest].limit,
            total=effects,
            digest=digest,
        )
        for digest, effects in evaluation.staged_counts.items()
    ]
    return evaluation
