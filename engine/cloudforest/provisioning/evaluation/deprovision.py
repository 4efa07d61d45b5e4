"""Decides what becomes of those who are out of scope or gone, and still linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_DEPROVISION,
    Change,
    Effect,
)
from cloudforest.model.source import Link, SourceObject
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
    "left-in-place: it was adopted, and what was adopted is never deleted; its type "
    "has no `active` by which to disable it."
)
NO_ACTIVE = "left-in-place: its type has no `active` by which to disable it."


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
    """Return what takes the object's access away; None: nothing is left to do.

    What was adopted may be disabled, never deleted. Pure.
    """
    wanted = _configured_action(source, mapper)
    if wanted == "keep":
        return None
    blank = replace(
        build_blank_effect(source, mapper, link, None),
        anchor=link.source_anchor,
        phase=PHASE_DEPROVISION,
        desired=f"{wanted} {link.resource}",
        because=source.presence,
    )
    adopted = link.origin == "adopted"
    if wanted == "delete" and not adopted:
        return replace(blank, action="delete", guards=("deletes",))
    if mapper.has_active:
        return _build_disable(blank, link)
    reason = ADOPTED_NOT_DELETED if wanted == "delete" else NO_ACTIVE
    action = "delete" if wanted == "delete" else "disable"
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
    evaluation: Evaluation, effect: Effect | None, name: str, previous: Effect | None
) -> None:
    if effect is None:
        return
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
    """Return whom another job of the target holds: they are that job's to keep."""
    if not context.siblings or not ids:
        return frozenset()
    found = await context.store.load_presences(context.siblings, ids)
    return frozenset(id_ for id_, each in found.items() if each in {"in", "unknown"})


async def evaluate_leavers(
    evaluation: Evaluation, sources: Sequence[SourceObject], previous: EffectsByKey
) -> list[Effect]:
    """Return the effects of a batch of lost objects, counted.

    What the job no longer maps stays as it is.
    """
    context = evaluation.context
    links = await context.store.load_links(
        context.job.target, [row.object_guid for row in sources]
    )
    effects: list[Effect] = []
    for source in sources:
        mapper, link = (
            evaluation.mappers.get(source.type),
            links.get(source.object_guid),
        )
        if mapper is None or link is None:
            continue
        effect = decide_deprovision(source, mapper, link)
        if effect is not None:
            effect = _apply_decisions(
                evaluation, effect, previous.get(source.object_guid)
            )
            effects.append(effect)
        _count_leaver(evaluation, effect, source.dn, previous.get(source.object_guid))
    return effects
