"""Stores outcomes: each with its link, log entry and charges in one transaction.

If the target goes down, its last unanswered requests leave escrow: they failed because
of the target, not because of their objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, TargetUnavailable
from cloudforest.model.effects import PHASE_REFERENCE, Outcome
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.source import Link
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


@dataclass
class BudgetCharges:
    """Computes the charges of outcomes; each group emptied in a cycle counts once."""

    emptied_groups: set[str] = field(default_factory=set)

    def compute_charges(
        self, outcomes: Iterable[Outcome], now: datetime
    ) -> list[BudgetCharge]:
        """Return the charges of written effects; released effects cost nothing."""
        sums: Counter[str] = Counter()
        charged = [
            each
            for each in outcomes
            if each.state == "done" and each.effect.stage is None
        ]
        for each in charged:
            for guard in each.effect.guards:
                removals = guard == "memberRemovals"
                sums[guard] += len(each.removed) if removals else 1
        sums["groupsEmptied"] = len(_emptied_groups(charged) - self.emptied_groups)
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


async def _save_outcomes(
    context: CycleContext, outcomes: list[Outcome], budget_charges: BudgetCharges
) -> None:
    await context.store.save_outcomes(
        context.key_name,
        context.job.target,
        context.cycle_id,
        outcomes=outcomes,
        log=await build_log_entries(
            context, [each for each in outcomes if _is_logged(each)]
        ),
        charges=budget_charges.compute_charges(outcomes, context.clock()),
    )


async def _escrow_owned(
    context: CycleContext, outcomes: list[Outcome]
) -> list[Outcome]:
    """Escrow effects whose resource is linked to another object."""
    resources = [each.link.resource for each in outcomes if each.link]
    owners = await context.store.find_linked_objects(context.job.target, resources)

    def is_owned(link: Link) -> bool:
        return owners.get(link.resource, link.object_guid) != link.object_guid

    return [
        build_escrow_outcome(context, each.effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
        if each.link and is_owned(each.link)
        else each
        for each in outcomes
    ]


async def store_outcomes(
    context: CycleContext, outcomes: list[Outcome], budget_charges: BudgetCharges
) -> None:
    try:
        await _save_outcomes(context, outcomes, budget_charges)
    except AlreadyLinked:
        # A service may answer a creation with an existing resource.
        outcomes = await _escrow_owned(context, outcomes)
        await _save_outcomes(context, outcomes, budget_charges)
    budget_charges.emptied_groups |= _emptied_groups(outcomes)
    for outcome in outcomes:
        _count_outcome(context.progress, outcome)
        if outcome.link:
            context.progress.claims.pop(outcome.link.resource, None)
