"""Stores outcomes: each with its link, log entry and charges in one transaction.

If the target goes down, its last unanswered requests leave escrow: they failed because
of the target, not because of their objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, TargetUnavailable
from cloudforest.model.effects import PHASE_REFERENCE, Outcome
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.stages import BudgetCharge
from cloudforest.provisioning.export.attempt import build_escrow_outcome
from cloudforest.provisioning.log_entries import build_log_entries
from cloudforest.provisioning.matching import ALREADY_LINKED
from cloudforest.provisioning.run import CycleContext, CycleProgress


def _emptied_groups(outcomes: Iterable[Outcome]) -> set[str]:
    return {
        each.effect.id
        for each in outcomes
        if each.removed and "groupsEmptied" in each.effect.guards
    }


def _compute_charges(
    context: CycleContext, outcomes: Iterable[Outcome]
) -> list[BudgetCharge]:
    """Return the charges of written effects; released effects cost nothing.

    Each group emptied in a cycle counts once.
    """
    sums: Counter[str] = Counter()
    charged = [
        each for each in outcomes if each.state == "done" and each.effect.stage is None
    ]
    for each in charged:
        for guard in each.effect.guards:
            sums[guard] += len(each.removed) if guard == "memberRemovals" else 1
    emptied = _emptied_groups(charged) - context.progress.emptied_groups
    sums["groupsEmptied"] = len(emptied)
    now = context.clock()
    return [
        BudgetCharge(guard=guard, effects=effects, time=now)
        for guard, effects in sorted(sums.items())
        if effects
    ]


async def release_unanswered(context: CycleContext, error: CloudforestError) -> None:
    """Release effects from escrow that got no answer just before the target failed."""
    if not isinstance(error, TargetUnavailable):
        return
    unanswered = context.progress.unanswered_keys
    effects = await context.store.load_effects(context.key_name, unanswered)
    released = [
        replace(
            each,
            state="pending",
            attempts=each.attempts - 1,
            next_try=None,
            since=None if each.attempts == 1 else each.since,
        )
        for each in effects.values()
        if each.state == "escrowed"
    ]
    await context.store.save_effects(context.key_name, context.cycle_id, released)
    context.counts.escrow -= len(released)
    unanswered.clear()


def _count_outcome(progress: CycleProgress, outcome: Outcome) -> None:
    """Count an attempt; remember the effects in escrow since the last answer."""
    effect, status = outcome.effect, outcome.status
    is_escrowed = outcome.state == "escrowed"
    if is_escrowed:
        progress.counts.escrow += 1
    elif outcome.state == "done" and not effect.present:
        progress.counts.count(
            replace(effect, add=outcome.added, remove=outcome.removed)
        )
    if outcome.state in {"done", "escrowed"} and effect.phase != PHASE_REFERENCE:
        progress.attempts.count_attempt(
            previous_attempts=effect.attempts - is_escrowed, failed=is_escrowed
        )
    if status is None:
        return
    if HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        progress.unanswered_keys.clear()
    elif is_escrowed:
        progress.unanswered_keys.append(effect.key)


def _is_logged(outcome: Outcome) -> bool:
    """Tell whether the outcome is logged; one that needed no request is not."""
    if outcome.effect.action in {"members", "reference"} and outcome.state == "done":
        return outcome.status is not None
    return outcome.state != "pending"


async def _save_outcomes(context: CycleContext, outcomes: list[Outcome]) -> None:
    await context.store.save_outcomes(
        context.key_name,
        context.job.target,
        context.cycle_id,
        outcomes=outcomes,
        log=await build_log_entries(
            context, [each for each in outcomes if _is_logged(each)]
        ),
        charges=_compute_charges(context, outcomes),
    )


async def _escrow_owned(
    context: CycleContext, outcomes: list[Outcome]
) -> list[Outcome]:
    """Escrow effects whose resource is linked to another object."""
    resources = [each.link.resource for each in outcomes if each.link]
    owners = await context.store.find_linked_objects(context.job.target, resources)
    return [
        build_escrow_outcome(context, each.effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
        if (link := each.link)
        and owners.get(link.resource, link.object_guid) != link.object_guid
        else each
        for each in outcomes
    ]


async def store_outcomes(context: CycleContext, outcomes: list[Outcome]) -> None:
    try:
        await _save_outcomes(context, outcomes)
    except AlreadyLinked:
        # A service may answer a creation with an existing resource.
        outcomes = await _escrow_owned(context, outcomes)
        await _save_outcomes(context, outcomes)
    context.progress.emptied_groups |= _emptied_groups(outcomes)
    for outcome in outcomes:
        _count_outcome(context.progress, outcome)
        if outcome.link:
            context.progress.claims.pop(outcome.link.resource, None)
