"""What is pending, phase by phase, with what each effect needs to be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.provisioning import PHASE_REFERENCE, Change, Effect, Link
from cloudforest.provisioning.evaluating.evaluation import is_creation
from cloudforest.provisioning.exporting.sending import Ready, believed
from cloudforest.provisioning.run import Run

BATCH = 200


def _others(effect: Effect) -> list[str]:
    named = [guid for each in effect.references if (guid := each.to or each.unless)]
    return [*named, *effect.add, *effect.remove]


async def batches(run: Run, phase: int) -> AsyncIterator[list[Effect]]:
    after = ""
    while effects := await run.store.pending(
        run.rows, run.id, phase, after=after, limit=BATCH
    ):
        yield effects
        after = effects[-1].key


async def marked(run: Run, effects: Sequence[Effect], *, sent: bool) -> list[Effect]:
    """Store beforehand which creations may reach the target, should we not be told."""
    after = [
        replace(each, sent=sent) if is_creation(each) else each for each in effects
    ]
    changed = [
        each for each, old in zip(after, effects, strict=True) if each is not old
    ]
    await run.store.save_effects(run.rows, run.id, changed)
    return after


async def _deprovisioned_later(
    run: Run, effects: Sequence[Effect], phase: int
) -> frozenset[str]:
    """Return the members that leave only after their own deprovisioning, yet to be."""
    removed = [guid for each in effects for guid in each.remove]
    if phase != PHASE_REFERENCE or not removed:
        return frozenset()
    left = await run.store.effects(run.rows, removed)
    return frozenset(id_ for id_, each in left.items() if each.because is not None)


def _without(effect: Effect, held: frozenset[str]) -> Effect:
    staying = tuple(each for each in effect.remove if each not in held)
    return effect if staying == effect.remove else replace(effect, remove=staying)


def _ready(effect: Effect, link: Link | None, others: Mapping[str, str]) -> Ready:
    """Let a creation name whom it refers to, if they are all there by now."""
    if not is_creation(effect) or not effect.references:
        return Ready(effect, believed(effect, link), others)
    alone = replace(effect, references=())
    changes = tuple(
        Change(path=each.path, after=others[each.to])
        for each in effect.references
        if each.to and each.to in others
    )
    if len(changes) < len(effect.references):
        return Ready(alone, link, others)
    named = replace(alone, changes=(*effect.changes, *changes))
    return Ready(named, link, others, whole=True)


async def ready(run: Run, phase: int) -> AsyncIterator[Ready]:
    """Yield what is pending, with what each needs, some queries a batch."""
    async for batch in batches(run, phase):
        effects = await marked(run, batch, sent=True)
        ids = [each.id for each in effects]
        links = await run.store.links(run.job.target, ids)
        named = [guid for each in effects for guid in _others(each)]
        others = await run.store.resource_ids(run.job.target, named) if named else {}
        held = await _deprovisioned_later(run, effects, phase)
        for effect in effects:
            yield _ready(_without(effect, held), links.get(effect.id), others)
