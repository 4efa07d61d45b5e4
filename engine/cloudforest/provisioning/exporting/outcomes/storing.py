"""Stores what became of effects: outcome, link, log and budget in one transaction."""

from __future__ import annotations

from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.model.outcomes import AlreadyLinked
from cloudforest.model.provisioning import Counts, Outcome
from cloudforest.provisioning.evaluating.evaluation import count
from cloudforest.provisioning.exporting.attempt import escrowed
from cloudforest.provisioning.exporting.outcomes.outage import note
from cloudforest.provisioning.exporting.outcomes.spending import Spending
from cloudforest.provisioning.logbook import entries_of
from cloudforest.provisioning.matching import ALREADY_LINKED
from cloudforest.provisioning.run import Run


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
