"""Export, phase by phase: writes, disables, conflicts once more, then references."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError
from cloudforest.model.outcomes import AlreadyLinked
from cloudforest.model.provisioning import (
    PHASE_DEPROVISION,
    PHASE_REFERENCE,
    PHASE_WRITE,
    Counts,
    Effect,
    Outcome,
)
from cloudforest.provisioning.evaluating.evaluation import (
    count,
    forget_writes,
    is_creation,
)
from cloudforest.provisioning.exporting.attempt import PHASE_RETRY, attempt, escrowed
from cloudforest.provisioning.exporting.pipeline import drain
from cloudforest.provisioning.exporting.sending import Ready
from cloudforest.provisioning.logbook import entries_of
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.matching import ALREADY_LINKED
from cloudforest.provisioning.run import Run

BATCH = 200
PHASES = (PHASE_WRITE, PHASE_DEPROVISION, PHASE_RETRY, PHASE_REFERENCE)


def _others(effect: Effect) -> list[str]:
    named = [each.to for each in effect.references if each.to is not None]
    return [*named, *effect.add, *effect.remove]


async def _batches(run: Run, phase: int) -> AsyncIterator[list[Effect]]:
    after = ""
    while effects := await run.store.pending(
        run.rows, run.id, phase, after=after, limit=BATCH
    ):
        yield effects
        after = effects[-1].key


async def _marked(run: Run, effects: Sequence[Effect], *, sent: bool) -> list[Effect]:
    """Store beforehand which creations may reach the target, should we not be told."""
    marked = [
        replace(each, sent=sent) if is_creation(each) else each for each in effects
    ]
    changed = [
        each for each, old in zip(marked, effects, strict=True) if each is not old
    ]
    await run.store.save_effects(run.rows, run.id, changed)
    return marked


async def _ready(run: Run, phase: int) -> AsyncIterator[Ready]:
    """Yield what is pending, with what each needs, some queries a batch."""
    async for batch in _batches(run, phase):
        effects = await _marked(run, batch, sent=True)
        ids = [each.id for each in effects]
        links = await run.store.links(run.job.target, ids)
        named = [guid for each in effects for guid in _others(each)]
        others = await run.store.resource_ids(run.job.target, named) if named else {}
        for effect in effects:
            yield Ready(effect=effect, link=links.get(effect.id), others=others)


def _count(counts: Counts, outcome: Outcome) -> None:
    match outcome.state:
        case "done" if not outcome.effect.present:
            written = replace(outcome.effect, add=outcome.added, remove=outcome.removed)
            count(counts, written)
        case "escrowed":
            counts.escrow += 1
        case "pending" | "staged" | "done":
            pass


def _is_news(outcome: Outcome) -> bool:
    """Tell whether the log should name it; a member that was there already is none."""
    if outcome.effect.action == "members" and outcome.state == "done":
        return outcome.status is not None
    return outcome.state != "pending"


async def _record(run: Run, outcomes: list[Outcome]) -> None:
    await run.store.record(
        run.rows,
        run.job.target,
        run.id,
        outcomes=outcomes,
        log=await entries_of(run, [each for each in outcomes if _is_news(each)]),
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


async def _store(run: Run, outcomes: list[Outcome]) -> None:
    try:
        await _record(run, outcomes)
    except AlreadyLinked:
        # A service may answer a creation with what it has already.
        outcomes = await _without_owned(run, outcomes)
        await _record(run, outcomes)
    for outcome in outcomes:
        _count(run.counts, outcome)
        if outcome.link:
            run.claims.pop(outcome.link.resource, None)


async def _drain(run: Run) -> None:
    compiled = mappers(run.program)
    seen = 0

    async def store(outcomes: list[Outcome]) -> None:
        nonlocal seen
        await _store(run, outcomes)
        seen += len(outcomes)
        run.progress("export", seen)

    async def work(ready: Ready) -> list[Outcome]:
        return await attempt(run, compiled[ready.effect.type], ready)

    for phase in PHASES:
        await drain(_ready(run, phase), work, store, workers=run.profile.concurrency)


async def export(run: Run) -> None:
    """Empty the outbox into the target; `run.counts` become what was written.

    Raises Unavailable when the target is down: what is left stays pending, and its
    creations did not reach the target (`model.ports.Target.create`).
    """
    forget_writes(run.counts)
    try:
        await _drain(run)
    except CloudforestError:
        for phase in (PHASE_WRITE, PHASE_RETRY):
            async for batch in _batches(run, phase):
                await _marked(run, batch, sent=False)
        raise
