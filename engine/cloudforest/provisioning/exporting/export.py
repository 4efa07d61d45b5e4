"""Export, phase by phase: writes, disables, conflicts once more, then references."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError
from cloudforest.model.outcomes import AlreadyLinked
from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import (
    PHASE_ADOPT,
    PHASE_REFERENCE,
    PHASE_RETRY,
    PHASE_WRITE,
    PHASES,
    Counts,
    Effect,
    Outcome,
)
from cloudforest.provisioning.evaluating.evaluation import (
    count,
    forget_writes,
    is_creation,
)
from cloudforest.provisioning.exporting.attempt import attempt, escrowed
from cloudforest.provisioning.exporting.pipeline import drain
from cloudforest.provisioning.exporting.rings import break_rings
from cloudforest.provisioning.exporting.sending import Ready
from cloudforest.provisioning.exporting.spending import Spending
from cloudforest.provisioning.logbook import entries_of
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.matching import ALREADY_LINKED
from cloudforest.provisioning.run import Run

BATCH = 200


def _others(effect: Effect) -> list[str]:
    named = [guid for each in effect.references if (guid := each.to or each.unless)]
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


async def _deprovisioned_later(
    run: Run, effects: Sequence[Effect], phase: int
) -> frozenset[str]:
    """Return the members that leave only after their own deprovisioning, yet to be."""
    removed = [guid for each in effects for guid in each.remove]
    if phase != PHASE_REFERENCE or not removed:
        return frozenset()
    left = await run.store.effects(run.rows, removed)
    return frozenset(id_ for id_, each in left.items() if each.because is not None)


async def _ready(run: Run, phase: int) -> AsyncIterator[Ready]:
    """Yield what is pending, with what each needs, some queries a batch."""
    async for batch in _batches(run, phase):
        effects = await _marked(run, batch, sent=True)
        ids = [each.id for each in effects]
        links = await run.store.links(run.job.target, ids)
        named = [guid for each in effects for guid in _others(each)]
        others = await run.store.resource_ids(run.job.target, named) if named else {}
        held = await _deprovisioned_later(run, effects, phase)
        for effect in effects:
            staying = tuple(each for each in effect.remove if each not in held)
            yield Ready(
                effect=replace(effect, remove=staying),
                link=links.get(effect.id),
                others=others,
            )


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
    """Tell whether the log should name it; a member that was there already is none."""
    if outcome.effect.action == "members" and outcome.state == "done":
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


async def _store(run: Run, outcomes: list[Outcome], spending: Spending) -> None:
    try:
        await _record(run, outcomes, spending)
    except AlreadyLinked:
        # A service may answer a creation with what it has already.
        outcomes = await _without_owned(run, outcomes)
        await _record(run, outcomes, spending)
    spending.stored(outcomes)
    for outcome in outcomes:
        _count(run.counts, outcome)
        if outcome.link:
            run.claims.pop(outcome.link.resource, None)


@dataclass
class _Export:
    """The export of a cycle.

    `done` counts what is settled, for the progress; `parted` are the effects of which a
    ring was broken: once is enough.
    """

    run: Run
    compiled: Mapping[ObjectType, Mapper]
    spending: Spending = field(default_factory=Spending)
    parted: set[str] = field(default_factory=set)
    done: int = 0

    async def drain(self, phase: int, *, last: bool = True) -> None:
        """Send what is pending of a phase."""

        async def store(outcomes: list[Outcome]) -> None:
            await _store(self.run, outcomes, self.spending)
            self.done += sum(each.state != "pending" for each in outcomes)
            self.run.progress("export", self.done)

        async def work(ready: Ready) -> list[Outcome]:
            return await attempt(self.run, self.compiled, ready, last=last)

        ready = _ready(self.run, phase)
        await drain(ready, work, store, workers=self.run.profile.concurrency)

    async def retry(self) -> None:
        """Send what is in conflict for as long as that frees the values of others."""
        while stuck := await self._stuck():
            before = self.done
            await self.drain(PHASE_RETRY, last=False)
            if self.done == before and not await self._break_rings(stuck):
                break
        await self.drain(PHASE_RETRY)

    async def _break_rings(self, stuck: Sequence[Effect]) -> bool:
        new = [each for each in stuck if each.key not in self.parted]
        parted = await break_rings(self.run, new)
        self.parted |= parted
        return bool(parted)

    async def _stuck(self) -> list[Effect]:
        batches = _batches(self.run, PHASE_RETRY)
        return [each async for batch in batches for each in batch]


async def _go(export: _Export) -> None:
    for phase in PHASES:
        if phase == PHASE_RETRY:
            await export.retry()
        else:
            await export.drain(phase)


async def export(run: Run) -> None:
    """Empty the outbox into the target; `run.counts` become what was written.

    Raises Unavailable when the target is down: what is left stays pending, and its
    creations did not reach the target (`model.ports.Target.create`).
    """
    forget_writes(run.counts)
    try:
        await _go(_Export(run, mappers(run.program)))
    except CloudforestError:
        for phase in (PHASE_WRITE, PHASE_ADOPT):
            async for batch in _batches(run, phase):
                await _marked(run, batch, sent=False)
        raise
    await run.store.close_stages(run.job.name)
