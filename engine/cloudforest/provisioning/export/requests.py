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
)
from cloudforest.model.ports.target import ResourceNotFound, Target
from cloudforest.model.source import FlatResource, Link
from cloudforest.provisioning.run import CycleContext


@dataclass(frozen=True)
class PreparedEffect:
    """An effect to export, its object's link, the resource ids of those it names.

    `whole`: a creation that says already what the object refers to.
    """

    effect: Effect
    link: Link | None
    resource_ids: Mapping[str, str]
    includes_references: bool = False

    def with_changes(self, changes: tuple[Change, ...]) -> PreparedEffect:
        """Return it with these changes only."""
        return PreparedEffect(
            replace(self.effect, changes=changes), self.link, self.resource_ids
        )


def drop_stale_link(effect: Effect, link: Link | None) -> Link | None:
    """Leave out a doubted link whose resource is no longer the object's."""
    if link is None or link.checked or effect.action not in {"create", "adopt"}:
        return link
    return link if link.resource == effect.resource else None


def build_link(
    effect: Effect, resource: str, written: FlatResource, link: Link | None
) -> Link:
    created = effect.action == "create"
    return Link(
        object_guid=effect.id,
        type=effect.type,
        resource=resource,
        resource_type=effect.resource_type,
        origin=link.origin if link else "created" if created else "adopted",
        source_anchor=effect.anchor,
        last_written=written,
        checked=effect.action == "adopt" or link is None or link.checked,
    )


def apply_changes(written: FlatResource, changes: Sequence[Change]) -> FlatResource:
    """Return what is written after these changes."""
    after = dict(written)
    for change in changes:
        if change.after is None:
            after.pop(change.path, None)
        else:
            after[change.path] = change.after
    return after


async def send_creation(target: Target, effect: Effect) -> Outcome:
    values = {p: v for p, v in effect.after_values.items() if v is not None}
    resource = await target.create(effect.resource_type, values)
    link = build_link(effect, resource, values, None)
    return Outcome(effect=effect, state="done", link=link, status=201)


async def send_update(target: Target, effect: Effect, link: Link | None) -> Outcome:
    """Write the values that differ; an adoption without difference sends nothing."""
    resource = link.resource if link else effect.resource or ""
    differing = any(each.is_sent for each in effect.changes)
    if differing:
        await target.modify(effect.resource_type, resource, effect.changes)
    known = link.last_written if link and effect.action != "adopt" else {}
    written = apply_changes(known, effect.changes)
    return Outcome(
        effect=effect,
        state="done",
        link=build_link(effect, resource, written, link),
        status=200 if differing else None,
    )


async def send_references(target: Target, prepared: PreparedEffect) -> Outcome | None:
    """Write references whose other end exists; the others wait for the next cycle."""
    effect, link = prepared.effect, prepared.link
    if link is None:
        return None
    changes = [
        Change(
            path=each.path,
            before=link.last_written.get(each.path),
            after=prepared.resource_ids.get(each.to, each.to) if each.to else None,
        )
        for each in effect.references
        if (each.to is None and each.unless not in prepared.resource_ids)
        or each.to in prepared.resource_ids
        or each.missing
    ]
    if not changes:
        return None
    differing = any(each.before != each.after for each in changes)
    if differing:
        await target.modify(effect.resource_type, link.resource, changes)
    written = apply_changes(link.last_written, changes)
    return Outcome(
        effect=effect,
        state="done",
        link=build_link(effect, link.resource, written, link),
        status=200 if differing else None,
    )


async def send_deletion(target: Target, prepared: PreparedEffect) -> Outcome:
    """Delete a resource; that it is not there any more is what was wanted."""
    effect, link = prepared.effect, prepared.link
    if link is None:
        return Outcome(effect=effect, state="done")
    status = 204
    try:
        await target.delete(effect.resource_type, link.resource)
    except ResourceNotFound as refusal:
        status = refusal.status
    return Outcome(effect=effect, state="done", link=link, status=status, unlinked=True)


async def send_deprovisioning(target: Target, prepared: PreparedEffect) -> Outcome:
    """Take away the access of one who is lost; no resource has no access."""
    effect, link = prepared.effect, prepared.link
    if effect.action == "delete" or link is None:
        return await send_deletion(target, prepared)
    try:
        return await send_update(target, effect, link)
    except ResourceNotFound as refusal:
        return Outcome(
            effect=effect, state="done", link=link, status=refusal.status, unlinked=True
        )


async def send_effect(target: Target, prepared: PreparedEffect) -> Outcome | None:
    """Carry out an effect; None: it has to wait for others."""
    effect = prepared.effect
    if effect.because is not None:
        return await send_deprovisioning(target, prepared)
    if effect.references:
        return await send_references(target, prepared)
    if effect.is_creation:
        return await send_creation(target, effect)
    return await send_update(target, effect, prepared.link)


BATCH = 200


def _referenced_guids(effect: Effect) -> list[str]:
    named = [guid for each in effect.references if (guid := each.to or each.unless)]
    return [*named, *effect.add, *effect.remove]


async def list_batches(
    context: CycleContext, phase: int
) -> AsyncIterator[list[Effect]]:
    after = ""
    while effects := await context.store.list_pending_effects(
        context.key_name, context.cycle_id, phase, after=after, limit=BATCH
    ):
        yield effects
        after = effects[-1].key


async def mark_sent(
    context: CycleContext, effects: Sequence[Effect], *, sent: bool
) -> list[Effect]:
    """Store beforehand which creations may reach the target, should we not be told."""
    creations = [each.key for each in effects if each.is_creation]
    await context.store.mark_sent(context.key_name, creations, sent=sent)
    return [replace(each, sent=sent) if each.is_creation else each for each in effects]


async def _attach_references(
    context: CycleContext, effects: Sequence[Effect]
) -> list[Effect]:
    """Give creations the references that wait to be written after them."""
    keys = [f"{each.id}/r" for each in effects if each.is_creation]
    waiting = await context.store.load_effects(context.key_name, keys) if keys else {}
    named = {
        each.id: each.references
        for each in waiting.values()
        if each.state == "pending" and each.action == "reference"
    }
    return [
        replace(each, references=named[each.id]) if each.id in named else each
        for each in effects
    ]


async def _find_later_deprovisioned(
    context: CycleContext, effects: Sequence[Effect], phase: int
) -> frozenset[str]:
    """Return the members that leave only after their own deprovisioning, yet to be."""
    removed = [guid for each in effects for guid in each.remove]
    if phase != PHASE_REFERENCE or not removed:
        return frozenset()
    left = await context.store.load_effects(context.key_name, removed)
    return frozenset(id_ for id_, each in left.items() if each.because is not None)


def _without_members(effect: Effect, held: frozenset[str]) -> Effect:
    staying = tuple(each for each in effect.remove if each not in held)
    return effect if staying == effect.remove else replace(effect, remove=staying)


def _prepare_effect(
    effect: Effect, link: Link | None, others: Mapping[str, str]
) -> PreparedEffect:
    """Let a creation name whom it refers to, if they are all there by now."""
    if not effect.is_creation or not effect.references:
        return PreparedEffect(effect, drop_stale_link(effect, link), others)
    alone = replace(effect, references=())
    changes = tuple(
        Change(path=each.path, after=others[each.to])
        for each in effect.references
        if each.to and each.to in others
    )
    if len(changes) < len(effect.references):
        return PreparedEffect(alone, link, others)
    named = replace(alone, changes=(*effect.changes, *changes))
    return PreparedEffect(named, link, others, includes_references=True)


async def prepare_effects(
    context: CycleContext, phase: int
) -> AsyncIterator[PreparedEffect]:
    """Yield what is pending, with what each needs, some queries a batch."""
    async for batch in list_batches(context, phase):
        effects = await mark_sent(context, batch, sent=True)
        if phase == PHASE_WRITE:
            effects = await _attach_references(context, effects)
        ids = [each.id for each in effects]
        links = await context.store.load_links(context.job.target, ids)
        named = [guid for each in effects for guid in _referenced_guids(each)]
        others = (
            await context.store.load_resource_ids(context.job.target, named)
            if named
            else {}
        )
        held = await _find_later_deprovisioned(context, effects, phase)
        for effect in effects:
            yield _prepare_effect(
                _without_members(effect, held), links.get(effect.id), others
            )
