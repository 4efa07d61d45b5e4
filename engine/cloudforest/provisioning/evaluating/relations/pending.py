"""Settles which pending references can be written, when all objects are evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.provisioning import PHASE_REFERENCE, Effect
from cloudforest.provisioning.evaluating.evaluation import Evaluation, count, sends
from cloudforest.provisioning.evaluating.relations.leads import count_whole, lead
from cloudforest.provisioning.run import Run

BATCH = 500


async def deleted_now(run: Run, named: Sequence[str]) -> frozenset[str]:
    """Return those whom this cycle is to delete, not one that was cut short."""
    coming = await run.store.coming(run.rows, run.id, named)
    effects = await run.store.effects(run.rows, list(coming))
    return frozenset(id_ for id_, each in effects.items() if each.action == "delete")


async def leaving(run: Run, named: Sequence[str]) -> frozenset[str]:
    """Return those of the objects that have no resource, or lose it in this cycle."""
    resources = await run.store.resource_ids(run.job.target, named)
    deleted = await deleted_now(run, named)
    return frozenset(each for each in named if each not in resources or each in deleted)


def _possible(
    effect: Effect, ends: Mapping[str, str | None], left: frozenset[str]
) -> Effect | None:
    """Leave out what waits for its other end, or is so already."""
    possible = tuple(
        each
        for each in effect.references
        if (each.to is None and (each.unless is None or each.unless in left))
        or (
            each.to is not None
            and each.to in ends
            and (each.before is None or ends[each.to] != each.before)
        )
        or each.missing
    )
    if possible == effect.references:
        return effect
    return replace(effect, references=possible) if possible else None


async def ends_of(
    evaluation: Evaluation, named: Sequence[str]
) -> Mapping[str, str | None]:
    """Return those of the objects that are linked or about to be, by this cycle."""
    run = evaluation.run
    linked = await run.store.resource_ids(run.job.target, named)
    missing = [guid for guid in named if guid not in linked]
    return {**await run.store.coming(run.rows, run.id, missing), **linked}


def _count(evaluation: Evaluation, effect: Effect, possible: Effect | None) -> None:
    if effect.guards:
        return
    if possible is not None:
        count(evaluation.run.counts, possible)
        evaluation.requests += sends(possible)
    elif effect.action == "update":
        evaluation.run.counts.unchanged += 1


async def evaluate_references(evaluation: Evaluation) -> None:
    """Keep and count the writes of references whose other end will be there."""
    run = evaluation.run
    after, led = "", False
    while batch := await run.store.pending(
        run.rows, run.id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        changes = [change for each in batch for change in each.references]
        ends = await ends_of(evaluation, [each.to for each in changes if each.to])
        gone = await leaving(run, [each.unless for each in changes if each.unless])
        settled = [(each, _possible(each, ends, gone)) for each in batch]
        for each, left in settled:
            _count(evaluation, each, left)
        fewer = [left for each, left in settled if left is not None and left != each]
        await run.store.save_effects(run.rows, run.id, fewer)
        none = [each.key for each, left in settled if left is None]
        await run.store.remove_effects(run.rows, none)
        led |= await lead(run, [left for _, left in settled if left], ends)
        after = batch[-1].key
    if led:
        await count_whole(evaluation)
