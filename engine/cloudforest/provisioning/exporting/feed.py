"""What is pending, phase by phase, with what each effect needs to be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.provisioning import (
    PHASE_REFERENCE,
    PHASE_WRITE,
    Change,
    Effect,
    Link,
)
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
    creations = [each.key for each in effects if is_creation(each)]
    await run.store.mark_sent(run.rows, creations, sent=sent)
    return [replace(each, sent=sent) if is_creation(each) else each for each in effects]


async def _whole(run: Run, effects: Sequence[Effect]) -> list[Effect]:
    """Give creations the references that wait to be written after them."""
    keys = [f"{each.id}/r" for each in effects if is_creation(each)]
    waiting = await run.store.effects(run.rows, keys) if keys else {}
    named = {
        each.id: each.references
        for each in waiting.values()
        if each.state == "pending" and each.action == "reference"
    }
    return [
        replace(each, references=named[each.id]) if each.id in named else each
        for each in effects
    ]


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
        if phase == PHASE_WRITE:
            effects = await _whole(run, effects)
        ids = [each.id for each in effects]
        links = await run.store.links(run.job.target, ids)
        named = [guid for each in effects for guid in _others(each)]
        others = await run.store.resource_ids(run.job.target, named) if named else {}
        held = await _deprovisioned_later(run, effects, phase)
        for effect in effects:
            yield _ready(_without(effect, held), links.get(effect.id), others)
