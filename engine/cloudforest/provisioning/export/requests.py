"""Prepares pending effects with their links and ids, and sends them to the target."""

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
from cloudforest.model.source import FlatResource, Link, Origin
from cloudforest.provisioning.run import CycleContext

BATCH = 200


@dataclass(frozen=True)
class PreparedEffect:
    """An effect with its object's link, and the resource ids of referenced objects.

    `includes_references`: a creation that also writes all references of the object.
    """

    effect: Effect
    link: Link | None
    resource_ids: Mapping[str, str]
    includes_references: bool = False


def drop_stale_link(effect: Effect, link: Link | None) -> Link | None:
    """Return None for an unchecked link that a create or an adoption replaces."""
    if link is None or link.checked or effect.action not in {"create", "adopt"}:
        return link
    return link if link.resource == effect.resource else None


def build_link(
    effect: Effect, resource: str, written: FlatResource, link: Link | None
) -> Link:
    new_origin: Origin = "created" if effect.action == "create" else "adopted"
    return Link(
        object_guid=effect.id,
        type=effect.type,
        resource=resource,
        resource_type=effect.resource_type,
        origin=link.origin if link else new_origin,
        source_anchor=effect.anchor,
        last_written=written,
        checked=effect.action == "adopt" or link is None or link.checked,
    )


def apply_changes(written: FlatResource, changes: Sequence[Change]) -> FlatResource:
    """Return the written values after these changes."""
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
    """Write the values that differ; without a difference, only store the link."""
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
    """Write the references whose other end exists; the others wait for the next cycle.

    None: all of them wait.
    """
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
    """Delete a resource; one that is already gone counts as deleted."""
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
    """Disable or delete the resource of a leaver; one that is gone is unlinked."""
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
    """Carry out an effect; None: it waits for other effects."""
    effect = prepared.effect
    if effect.because is not None:
        return await send_deprovisioning(target, prepared)
    if effect.references:
        return await send_references(target, prepared)
    if effect.is_creation:
        return await send_creation(target, effect)
    return await send_update(target, effect, prepared.link)


def _referenced_guids(effect: Effect) -> list[str]:
    referenced = [
        guid for each in effect.references if (guid := each.to or each.unless)
    ]
    return [*referenced, *effect.add, *effect.remove]


async def mark_sent(
    context: CycleContext, effects: Sequence[Effect], *, sent: bool
) -> list[Effect]:
    """Store which creations may reach the target, before they are sent.

    If the answer is lost, the next cycle looks for them in the target.
    """
    creations = [each.key for each in effects if each.is_creation]
    await context.store.mark_sent(context.key_name, creations, sent=sent)
    return [replace(each, sent=sent) if each.is_creation else each for each in effects]


async def _attach_references(
    context: CycleContext, effects: Sequence[Effect]
) -> list[Effect]:
    """Add to creations the references that would be written after them."""
    keys = [f"{each.id}/r" for each in effects if each.is_creation]
    waiting = await context.store.load_effects(context.key_name, keys) if keys else {}
    references = {
        each.id: each.references
        for each in waiting.values()
        if each.state == "pending" and each.action == "reference"
    }
    return [
        replace(each, references=references[each.id]) if each.id in references else each
        for each in effects
    ]


async def _find_later_deprovisioned(
    context: CycleContext, effects: Sequence[Effect], phase: int
) -> frozenset[str]:
    """Return the removed members whose deprovisioning is not done yet.

    They lose their memberships only after their access.
    """
    removed = [guid for each in effects for guid in each.remove]
    if phase != PHASE_REFERENCE or not removed:
        return frozenset()
    unfinished = await context.store.load_effects(context.key_name, removed)
    return frozenset(
        guid for guid, each in unfinished.items() if each.because is not None
    )


def _without_removals(effect: Effect, members: frozenset[str]) -> Effect:
    remaining = tuple(each for each in effect.remove if each not in members)
    return effect if remaining == effect.remove else replace(effect, remove=remaining)


def _prepare_effect(
    effect: Effect, link: Link | None, resource_ids: Mapping[str, str]
) -> PreparedEffect:
    """Include the references of a creation if all referenced resources exist now."""
    if not effect.is_creation or not effect.references:
        return PreparedEffect(effect, drop_stale_link(effect, link), resource_ids)
    creation = replace(effect, references=())
    changes = tuple(
        Change(path=each.path, after=resource_ids[each.to])
        for each in effect.references
        if each.to and each.to in resource_ids
    )
    if len(changes) < len(effect.references):
        return PreparedEffect(creation, link, resource_ids)
    creation = replace(creation, changes=(*effect.changes, *changes))
    return PreparedEffect(creation, link, resource_ids, includes_references=True)


async def prepare_effects(
    context: CycleContext, phase: int
) -> AsyncIterator[PreparedEffect]:
    """Yield the pending effects of a phase, prepared with a few queries per batch."""
    async for batch in context.read_pending_effects(phase, BATCH):
        effects = await mark_sent(context, batch, sent=True)
        if phase == PHASE_WRITE:
            effects = await _attach_references(context, effects)
        guids = [each.id for each in effects]
        links = await context.store.load_links(context.job.target, guids)
        referenced = [guid for each in effects for guid in _referenced_guids(each)]
        resource_ids = (
            await context.store.load_resource_ids(context.job.target, referenced)
            if referenced
            else {}
        )
        kept = await _find_later_deprovisioned(context, effects, phase)
        for effect in effects:
            yield _prepare_effect(
                _without_removals(effect, kept), links.get(effect.id), resource_ids
            )
