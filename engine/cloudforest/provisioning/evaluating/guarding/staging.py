"""Stages every effect that an exceeded budget counts; the rest stays pending."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.provisioning import Effect, Stage
from cloudforest.provisioning.evaluating.evaluation import (
    Evaluation,
    count,
    note,
    sends,
    store_log,
)
from cloudforest.provisioning.evaluating.guarding.check import Tripped, check
from cloudforest.provisioning.evaluating.guarding.digesting import (
    Content,
    candidates,
    contents,
    guard_of,
    singles,
    tripped_of,
)
from cloudforest.provisioning.logbook import names_of


def _take_back(evaluation: Evaluation, effect: Effect, rest: Effect | None) -> None:
    """Count no longer what is staged, but what of it goes on."""
    counts = evaluation.run.counts
    count(counts, effect, by=-1)
    evaluation.requests -= sends(effect)
    if rest is not None:
        count(counts, rest)
        evaluation.requests += sends(rest)


def _rest(effect: Effect) -> Effect | None:
    """Return what goes on of a change of members whose removals are staged."""
    if effect.action != "members" or not effect.add:
        return None
    return replace(effect, remove=(), guards=())


def _staged(
    evaluation: Evaluation, effect: Effect, trip: Tripped, name: str
) -> list[Effect]:
    """Return what takes the place of an effect in the outbox."""
    rest = _rest(effect)
    _take_back(evaluation, effect, rest)
    parts = [
        replace(each, state="staged", stage=trip.digest, reason=trip.reason)
        for each in singles(effect)
    ]
    for part in parts:
        note(evaluation, part, name, "staged")
    evaluation.run.counts.staged += len(parts)
    return [*parts, rest] if rest else parts


async def _stage_batch(
    evaluation: Evaluation, effects: Sequence[Effect], exceeded: Mapping[str, Tripped]
) -> None:
    run = evaluation.run
    names = await names_of(run, effects)
    saved: list[Effect] = []
    for effect in effects:
        trip = exceeded[str(guard_of(effect, exceeded))]
        if trip.digest in run.allowed:
            saved.append(replace(effect, stage=trip.digest))
        else:
            saved += _staged(evaluation, effect, trip, names[effect.id])
    kept = {each.key for each in saved}
    await run.store.save_effects(run.rows, run.id, saved)
    gone = [each.key for each in effects if each.key not in kept]
    await run.store.remove_effects(run.rows, gone)
    await store_log(evaluation)


async def _save(evaluation: Evaluation, content: Content) -> None:
    run, trip = evaluation.run, content.tripped
    if run.is_scratch or not content.what:
        return
    await run.store.save_stage(
        Stage(
            id=trip.digest,
            job=trip.job,
            guard=trip.guard,
            cycle=run.id,
            created=evaluation.now,
            limit=trip.limit,
            effects=sum(content.what.values()),
            what=dict(content.what),
        )
    )


async def guard(evaluation: Evaluation, guards: Collection[str]) -> tuple[Tripped, ...]:
    """Stage what these budgets do not bear; return those that are exceeded.

    What was allowed beforehand, from a plan, is not staged: its digest is known. It is
    a stage that was released all the same, so that its allowance ends with it.
    """
    exceeded = await check(evaluation, guards)
    if not exceeded:
        return ()
    made = await contents(evaluation.run, exceeded)
    trips = tripped_of(made)
    for content in made.values():
        if content.tripped.digest in evaluation.run.allowed:
            # Should we die before the effects are stored, the allowance still ends.
            await _save(evaluation, content)
    async for batch in candidates(evaluation.run):
        counted = [each for each in batch if guard_of(each, trips) is not None]
        await _stage_batch(evaluation, counted, trips)
    for content in made.values():
        await _save(evaluation, content)
    allowed = evaluation.run.allowed
    return tuple(each for each in trips.values() if each.digest not in allowed)
