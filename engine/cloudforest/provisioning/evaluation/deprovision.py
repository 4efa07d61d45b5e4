"""Decides what becomes of those who are out of scope or gone, and still linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.effects import PHASE_DEPROVISION, Change, Effect, again, is_held
from cloudforest.model.source import Link, SourceRow
from cloudforest.provisioning.differences import blank_effect
from cloudforest.provisioning.evaluation.state import (
    Evaluation,
    add,
    add_escrowed,
    note,
)
from cloudforest.provisioning.mapper import ACTIVE, Mapper
from cloudforest.provisioning.run import Run

Effects = Mapping[str, Effect]

ADOPTED = (
    "left-in-place: it was adopted, and what was adopted is never deleted; its type "
    "has no `active` by which to disable it."
)
NO_ACTIVE = "left-in-place: its type has no `active` by which to disable it."


def _wanted(row: SourceRow, mapper: Mapper) -> str:
    deprovision = mapper.program.deprovision
    return deprovision.deleted if row.state == "gone" else deprovision.out_of_scope


def _disable(blank: Effect, link: Link) -> Effect | None:
    if link.written.get(ACTIVE) is False:
        return None
    change = Change(path=ACTIVE, before=link.written.get(ACTIVE), after=False)
    return replace(blank, action="disable", changes=(change,), guards=("disables",))


def deprovision(row: SourceRow, mapper: Mapper, link: Link) -> Effect | None:
    """Return what takes the object's access away; None: nothing is left to do.

    What was adopted may be disabled, never deleted. Pure.
    """
    wanted = _wanted(row, mapper)
    if wanted == "keep":
        return None
    blank = replace(
        blank_effect(row, mapper, link, None),
        anchor=link.anchor,
        phase=PHASE_DEPROVISION,
        desired=f"{wanted} {link.resource}",
        because=row.state,
    )
    adopted = link.origin == "adopted"
    if wanted == "delete" and not adopted:
        return replace(blank, action="delete", guards=("deletes",))
    if mapper.has_active:
        return _disable(blank, link)
    reason = ADOPTED if wanted == "delete" else NO_ACTIVE
    action = "delete" if wanted == "delete" else "disable"
    return replace(blank, action=action, state="skipped", reason=reason)


def _standing(evaluation: Evaluation, effect: Effect, prior: Effect | None) -> Effect:
    if prior is not None and prior.desired == effect.desired:
        if is_held(prior, evaluation.now):
            return prior
        effect = again(effect, prior)
    return evaluation.standing.of(effect, prior)


def _count(
    evaluation: Evaluation, effect: Effect | None, name: str, prior: Effect | None
) -> None:
    if effect is None:
        return
    add(evaluation, effect)
    if effect.state == "escrowed":
        add_escrowed(evaluation, effect, name, prior)
    elif effect.state == "skipped" and (prior is None or prior.state != "skipped"):
        note(evaluation, effect, name, "skipped")


async def held_elsewhere(run: Run, ids: Sequence[str]) -> frozenset[str]:
    """Return whom another job of the target holds: they are that job's to keep."""
    if not run.others or not ids:
        return frozenset()
    found = await run.store.presences(run.others, ids)
    return frozenset(id_ for id_, each in found.items() if each in {"in", "unknown"})


async def evaluate_lost(
    evaluation: Evaluation, rows: Sequence[SourceRow], prior: Effects
) -> list[Effect]:
    """Return the effects of a batch of lost objects, counted.

    What the job no longer maps stays as it is.
    """
    run = evaluation.run
    links = await run.store.links(run.job.target, [row.id for row in rows])
    effects: list[Effect] = []
    for row in rows:
        mapper, link = evaluation.mappers.get(row.type), links.get(row.id)
        if mapper is None or link is None:
            continue
        effect = deprovision(row, mapper, link)
        if effect is not None:
            effect = _standing(evaluation, effect, prior.get(row.id))
            effects.append(effect)
        _count(evaluation, effect, row.dn, prior.get(row.id))
    return effects
