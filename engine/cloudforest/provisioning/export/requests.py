"""Sends one effect to the target and says what its link has become.

What is pending, phase by phase, with what each effect needs to be sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_REFERENCE,
    PHASE_WRITE,
    Change,
    Effect,
    Outcome,
    after_values,
    is_creation,
)
from cloudforest.model.ports.target import NotThere, Target
from cloudforest.model.source import Flat, Link
from cloudforest.provisioning.run import Run


@dataclass(frozen=True)
class Ready:
    """An effect to export, its object's link, the resource ids of those it names.

    `whole`: a creation that says already what the object refers to.
    """

    effect: Effect
    link: Link | None
    others: Mapping[str, str]
    whole: bool = False

    def alone(self, changes: tuple[Change, ...]) -> Ready:
        """Return it with these changes only."""
        return Ready(replace(self.effect, changes=changes), self.link, self.others)


def believed(effect: Effect, link: Link | None) -> Link | None:
    """Leave out a doubted link whose resource is no longer the object's."""
    if link is None or link.checked or effect.action not in {"create", "adopt"}:
        return link
    return link if link.resource == effect.resource else None


def link_of(effect: Effect, resource: str, written: Flat, link: Link | None) -> Link:
    created = effect.action == "create"
    return Link(
        id=effect.id,
        type=effect.type,
        resource=resource,
        resource_type=effect.resource_type,
        origin=link.origin if link else "created" if created else "adopted",
        anchor=effect.anchor,
        written=written,
        checked=effect.action == "adopt" or link is None or link.checked,
    )


def rewritten(written: Flat, changes: Sequence[Change]) -> Flat:
    """Return what is written after these changes."""
    after = dict(written)
    for change in changes:
        if change.after is None:
            after.pop(change.path, None)
        else:
            after[change.path] = change.after
    return after


async def create(target: Target, effect: Effect) -> Outcome:
    values = {p: v for p, v in after_values(effect).items() if v is not None}
    resource = await target.create(effect.resource_type, values)
    link = link_of(effect, resource, values, None)
    return Outcome(effect=effect, state="done", link=link, status=201)


async def modify(target: Target, effect: Effect, link: Link | None) -> Outcome:
    """Write the values that differ; an adoption without difference sends nothing."""
    resource = link.resource if link else effect.resource or ""
    differing = any(each.is_sent for each in effect.changes)
    if differing:
        await target.modify(effect.resource_type, resource, effect.changes)
    known = link.written if link and effect.action != "adopt" else {}
    written = rewritten(known, effect.changes)
    return Outcome(
        effect=effect,
        state="done",
        link=link_of(effect, resource, written, link),
        status=200 if differing else None,
    )


async def refer(target: Target, ready: Ready) -> Outcome | None:
    """Write references whose other end exists; the others wait for the next cycle."""
    effect, link = ready.effect, ready.link
    if link is None:
        return None
    changes = [
        Change(
            path=each.path,
            before=link.written.get(each.path),
            after=ready.others.get(each.to, each.to) if each.to else None,
        )
        for each in effect.references
        if (each.to is None and each.unless not in ready.others)
        or each.to in ready.others
        or each.missing
    ]
    if not changes:
        return None
    differing = any(each.before != each.after for each in changes)
    if differing:
        await target.modify(effect.resource_type, link.resource, changes)
    written = rewritten(link.written, changes)
    return Outcome(
        effect=effect,
        state="done",
        link=link_of(effect, link.resource, written, link),
        status=200 if differing else None,
    )


async def remove(target: Target, ready: Ready) -> Outcome:
    """Delete a resource; that it is not there any more is what was wanted."""
    effect, link = ready.effect, ready.link
    if link is None:
        return Outcome(effect=effect, state="done")
    status = 204
    try:
        await target.delete(effect.resource_type, link.resource)
    except NotThere as refusal:
        status = refusal.status
    return Outcome(effect=effect, state="done", link=link, status=status, unlinked=True)


async def deprovision(target: Target, ready: Ready) -> Outcome:
    """Take away the access of one who is lost; no resource has no access."""
    effect, link = ready.effect, ready.link
    if effect.action == "delete" or link is None:
        return await remove(target, ready)
    try:
        return await modify(target, effect, link)
    except NotThere as refusal:
        return Outcome(
            effect=effect, state="done", link=link, status=refusal.status, unlinked=True
        )


async def send(target: Target, ready: Ready) -> Outcome | None:
    """Carry out an effect; None: it has to wait for others."""
    effect = ready.effect
    if effect.because is not None:
        return await deprovision(target, ready)
    if effect.references:
        return await refer(target, ready)
    if is_creation(effect):
        return await create(target, effect)
    return await modify(target, effect, ready.link)


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
