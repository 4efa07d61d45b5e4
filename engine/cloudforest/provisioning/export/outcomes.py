"""Stores outcomes: each with its link, log entry and charges in one transaction.

If the target goes down, its last unanswered requests leave escrow: they failed because
of the target, not because of their objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, TargetUnavailable
from cloudforest.model.cycles import Counts
from cloudforest.model.effects import PHASE_REFERENCE, Outcome
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.stages import BudgetCharge
from cloudforest.provisioning.export.attempt import build_escrow_outcome
from cloudforest.provisioning.log_entries import build_log_entries
from cloudforest.provisioning.matching import ALREADY_LINKED
from cloudforest.provisioning.run import CycleContext


def _empties_group(outcome: Outcome) -> bool:
    return bool(outcome.removed) and "groupsEmptied" in outcome.effect.guards


def _outcome_charges(outcome: Outcome) -> Iterator[tuple[str, int]]:
    """Yield the charge of each budget, except for emptied groups."""
    for guard in outcome.effect.guards:
        if guard == "memberRemovals":
            yield guard, len(outcome.removed)
        elif guard != "groupsEmptied":
            yield guard, 1


@dataclass
class BudgetCharges:
    """Computes the charges of outcomes; each group emptied in a cycle counts once."""

    emptied_groups: set[str] = field(default_factory=set)

    def compute_charges(
        self, outcomes: Iterable[Outcome], now: datetime
    ) -> list[BudgetCharge]:
        """Return the charges of written effects; released effects cost nothing."""
        sums: Counter[str] = Counter()
        groups: set[str] = set()
        for each in outcomes:
            if each.state == "done" and each.effect.stage is None:
                sums.update(dict(_outcome_charges(each)))
                groups.update([each.effect.id] if _empties_group(each) else [])
        sums["groupsEmptied"] = len(groups - self.emptied_groups)
        return [
            BudgetCharge(guard=guard, effects=effects, time=now)
            for guard, effects in sorted(sums.items())
            if effects
        ]

    def remember_emptied(self, outcomes: Iterable[Outcome]) -> None:

        self.emptied_groups.update(
            each.effect.id for each in outcomes if _empties_group(each)
        )


def record_attempt(context: CycleContext, outcome: Outcome) -> None:
    """Count an attempt; remember the effects in escrow since the last answer."""
    effect, status = outcome.effect, outcome.status
    if outcome.state in {"done", "escrowed"} and effect.phase != PHASE_REFERENCE:
        failed = outcome.state == "escrowed"
        context.attempts.count_attempt(
            previous_attempts=effect.attempts - failed, failed=failed
        )
    if status is None:
        return
    if HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        context.unanswered_keys.clear()
    elif outcome.state == "escrowed":
        context.unanswered_keys.append(outcome.effect.key)


async def release_unanswered(context: CycleContext, error: CloudforestError) -> None:
    """Release effects from escrow that got no answer just before the target failed."""
    if not isinstance(error, TargetUnavailable):
        return
    effects = await context.store.load_effects(
        context.key_name, context.unanswered_keys
    )
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
    context.unanswered_keys.clear()


def _count_outcome(counts: Counts, outcome: Outcome) -> None:
    match outcome.state:
        case "done" if not outcome.effect.present:
            written = replace(outcome.effect, add=outcome.added, remove=outcome.removed)
            counts.count(written)
        case "escrowed":
            counts.escrow += 1
        case _:
            pass


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
    return [
        build_escrow_outcome(context, each.effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
        if each.link
        and owners.get(each.link.resource, each.link.object_guid)
        != each.link.object_guid
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
    budget_charges.remember_emptied(outcomes)
    for outcome in outcomes:
        _count_outcome(context.counts, outcome)
        record_attempt(context, outcome)
        if outcome.link:
            context.claims.pop(outcome.link.resource, None)
