"""Stores what became of effects: outcome, link, log and budget in one transaction.

What the effects that were written cost their budgets.

A target that goes down escrows nobody: its last silences were not about objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, TargetUnavailable
from cloudforest.model.cycles import Counts, count
from cloudforest.model.effects import PHASE_REFERENCE, Outcome
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.stages import Spent
from cloudforest.provisioning.export.attempt import escrowed
from cloudforest.provisioning.log_entries import entries_of
from cloudforest.provisioning.matching import ALREADY_LINKED
from cloudforest.provisioning.run import Run


def _empties(outcome: Outcome) -> bool:
    return bool(outcome.removed) and "groupsEmptied" in outcome.effect.guards


@dataclass
class Spending:
    """`emptied` are the groups that this cycle has emptied: each is counted once."""

    emptied: set[str] = field(default_factory=set)

    def of(self, outcomes: Iterable[Outcome], now: datetime) -> list[Spent]:
        """Return what was spent. What somebody released costs nothing."""
        sums: Counter[str] = Counter()
        groups: set[str] = set()
        for each in outcomes:
            if each.state == "done" and each.effect.stage is None:
                sums.update(dict(_costs(each)))
                groups.update([each.effect.id] if _empties(each) else [])
        sums["groupsEmptied"] = len(groups - self.emptied)
        return [
            Spent(guard=guard, effects=effects, time=now)
            for guard, effects in sorted(sums.items())
            if effects
        ]

    def stored(self, outcomes: Iterable[Outcome]) -> None:
        """Remember the groups that are emptied."""
        self.emptied.update(each.effect.id for each in outcomes if _empties(each))


def _costs(outcome: Outcome) -> Iterator[tuple[str, int]]:
    """Yield what each budget bears, emptied groups aside."""
    for guard in outcome.effect.guards:
        if guard == "memberRemovals":
            yield guard, len(outcome.removed)
        elif guard != "groupsEmptied":
            yield guard, 1


def note(run: Run, outcome: Outcome) -> None:
    """Count what was tried; remember who is in escrow since the last answer."""
    effect, status = outcome.effect, outcome.status
    if outcome.state in {"done", "escrowed"} and effect.phase != PHASE_REFERENCE:
        failed = outcome.state == "escrowed"
        run.attempts.add(attempts=effect.attempts - failed, failed=failed)
    if status is None:
        return
    if HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        run.unanswered.clear()
    elif outcome.state == "escrowed":
        run.unanswered.append(outcome.effect.key)


async def give_back(run: Run, error: CloudforestError) -> None:
    """Take out of escrow those who got no answer just before the target was down."""
    if not isinstance(error, TargetUnavailable):
        return
    held = await run.store.effects(run.rows, run.unanswered)
    back = [
        replace(
            each,
            state="pending",
            attempts=each.attempts - 1,
            next_try=None,
            since=None if each.attempts == 1 else each.since,
        )
        for each in held.values()
        if each.state == "escrowed"
    ]
    await run.store.save_effects(run.rows, run.id, back)
    run.counts.escrow -= len(back)
    run.unanswered.clear()


def _count(counts: Counts, outcome: Outcome) -> None:
    match outcome.state:
        case "done" if not outcome.effect.present:
            written = replace(outcome.effect, add=outcome.added, remove=outcome.removed)
            count(counts, written)
        case "escrowed":
            counts.escrow += 1
        case _:
            pass


def _is_news(outcome: Outcome) -> bool:
    """Tell whether the log should name it; what was so already is none."""
    if outcome.effect.action in {"members", "reference"} and outcome.state == "done":
        return outcome.status is not None
    return outcome.state != "pending"


async def _record(run: Run, outcomes: list[Outcome], spending: Spending) -> None:
    await run.store.record(
        run.rows,
        run.job.target,
        run.id,
        outcomes=outcomes,
        log=await entries_of(run, [each for each in outcomes if _is_news(each)]),
        spent=spending.of(outcomes, run.clock()),
    )


async def _without_owned(run: Run, outcomes: list[Outcome]) -> list[Outcome]:
    """Escrow what would link a resource that is another object's."""
    resources = [each.link.resource for each in outcomes if each.link]
    owners = await run.store.linked_resources(run.job.target, resources)
    return [
        escrowed(run, each.effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
        if each.link and owners.get(each.link.resource, each.link.id) != each.link.id
        else each
        for each in outcomes
    ]


async def store(run: Run, outcomes: list[Outcome], spending: Spending) -> None:
    try:
        await _record(run, outcomes, spending)
    except AlreadyLinked:
        # A service may answer a creation with what it has already.
        outcomes = await _without_owned(run, outcomes)
        await _record(run, outcomes, spending)
    spending.stored(outcomes)
    for outcome in outcomes:
        _count(run.counts, outcome)
        note(run, outcome)
        if outcome.link:
            run.claims.pop(outcome.link.resource, None)
