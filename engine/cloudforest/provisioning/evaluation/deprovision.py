"""Deprovisions leavers: linked objects that are out of scope or gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_DEPROVISION,
    Change,
    Effect,
)
from cloudforest.model.source import KEPT_PRESENCES, Link, SourceObject
from cloudforest.provisioning.differences import build_blank_effect
from cloudforest.provisioning.evaluation.state import (
    Evaluation,
    add_effect,
    add_escrowed_effect,
    log_effect,
)
from cloudforest.provisioning.mapper import ACTIVE, Mapper
from cloudforest.provisioning.run import CycleContext

EffectsByKey = Mapping[str, Effect]

ADOPTED_NOT_DELETED = (
    "left-in-place: adopted resources are never deleted, and this type has no `active` "
    "attribute to disable it by."
)
NO_ACTIVE = "left-in-place: this type has no `active` attribute to disable it by."


def _configured_action(source: SourceObject, mapper: Mapper) -> str:
    deprovision = mapper.program.deprovision
    return (
        deprovision.deleted if source.presence == "gone" else deprovision.out_of_scope
    )


def _build_disable(blank: Effect, link: Link) -> Effect | None:
    if link.last_written.get(ACTIVE) is False:
        return None
    change = Change(path=ACTIVE, before=link.last_written.get(ACTIVE), after=False)
    return replace(blank, action="disable", changes=(change,), guards=("disables",))


def decide_deprovision(
    source: SourceObject, mapper: Mapper, link: Link
) -> Effect | None:
    """Return the effect that removes the object's access; None: nothing to do.

    Adopted resources may be disabled, but are never deleted. Pure.
    """
    configured = _configured_action(source, mapper)
    if configured == "keep":
        return None
    blank = replace(
        build_blank_effect(source, mapper, link, None),
        anchor=link.source_anchor,
        phase=PHASE_DEPROVISION,
        desired=f"{configured} {link.resource}",
        because=source.presence,
    )
    if configured == "delete" and link.origin != "adopted":
        return replace(blank, action="delete", guards=("deletes",))
    if mapper.has_active:
        return _build_disable(blank, link)
    reason = ADOPTED_NOT_DELETED if configured == "delete" else NO_ACTIVE
    action = "delete" if configured == "delete" else "disable"
    return replace(blank, action=action, state="skipped", reason=reason)


def _apply_decisions(
    evaluation: Evaluation, effect: Effect, previous: Effect | None
) -> Effect:
    if previous is not None and previous.desired == effect.desired:
        if previous.is_held(evaluation.now):
            return previous
        effect = effect.retried_as(previous)
    return evaluation.stage_decisions.apply_to(effect, previous)


def _count_leaver(
    evaluation: Evaluation, effect: Effect, name: str, previous: Effect | None
) -> None:
    add_effect(evaluation, effect)
    if effect.state == "escrowed":
        add_escrowed_effect(evaluation, effect, name, previous)
    elif effect.state == "skipped" and (
        previous is None or previous.state != "skipped"
    ):
        log_effect(evaluation, effect, name, "skipped")


async def find_held_by_siblings(
    context: CycleContext, ids: Sequence[str]
) -> frozenset[str]:
    """Return the objects that a sibling job holds; only that job may remove them."""
    if not context.siblings or not ids:
        return frozenset()
    found = await context.store.load_presences(context.siblings, ids)
    return frozenset(guid for guid, each in found.items() if each in KEPT_PRESENCES)


async def evaluate_leavers(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> list[Effect]:
    """Return the effects of a batch of leavers, and count them.

    Resources of types that the job no longer maps stay unchanged.
    """
    context = evaluation.context
    links = await context.store.load_links(
        context.job.target, [each.object_guid for each in sources]
    )
    effects: list[Effect] = []
    for source in sources:
        mapper = evaluation.mappers.get(source.type)
        link = links.get(source.object_guid)
        if mapper is None or link is None:
            continue
        effect = decide_deprovision(source, mapper, link)
        if effect is None:
            continue
        previous_effect = previous.get(source.object_guid)
        effect = _apply_decisions(evaluation, effect, previous_effect)
        effects.append(effect)
        _count_leaver(evaluation, effect, source.dn, previous_effect)
    return effects
