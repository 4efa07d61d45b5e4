"""The guard: an exceeded budget stages all its effects before the first write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from msgspec.structs import replace

from cloudforest.model.provisioning import (
    PHASE_DEPROVISION,
    PHASE_REFERENCE,
    PHASE_WRITE,
    Effect,
)
from cloudforest.model.value import Value
from cloudforest.program.guard import limit, tripped
from cloudforest.provisioning.evaluating.evaluation import Evaluation, count, sends
from cloudforest.provisioning.run import Run

BATCH = 500


class Tripped(Value, frozen=True):
    """A budget that was exceeded: so many effects against the limit."""

    job: str
    guard: str
    effects: int
    limit: int


async def check(run: Run, tally: Mapping[str, int]) -> tuple[Tripped, ...]:
    """Return the budgets that the cycle exceeds; a first cycle may create freely."""
    managed = await run.store.managed(run.rows, run.job.target)
    first = not await run.store.has_finished(run.job.name, run.job.target)
    exceeded = []
    for guard, budget in sorted(run.job.guard.items()):
        effects = tally.get(guard, 0)
        if guard == "creates" and first:
            continue
        if tripped(budget, managed=managed, cycle=effects, window=effects):
            exceeded.append(
                Tripped(
                    job=run.job.name,
                    guard=guard,
                    effects=effects,
                    limit=limit(budget, managed),
                )
            )
    return tuple(exceeded)


async def _pending(run: Run) -> AsyncIterator[list[Effect]]:
    for phase in (PHASE_WRITE, PHASE_DEPROVISION, PHASE_REFERENCE):
        after = ""
        while batch := await run.store.pending(
            run.rows, run.id, phase, after=after, limit=BATCH
        ):
            yield batch
            after = batch[-1].key


def _stage(effect: Effect, exceeded: Mapping[str, Tripped]) -> Effect | None:
    trip = next((exceeded[each] for each in effect.guards if each in exceeded), None)
    if trip is None:
        return None
    reason = (
        f"{trip.guard}: {trip.effects} effects of this cycle exceed the limit of "
        f"{trip.limit}."
    )
    return replace(effect, state="staged", reason=reason)


async def stage(evaluation: Evaluation, trips: tuple[Tripped, ...]) -> None:
    """Stage every effect that an exceeded budget counts; the rest stays pending."""
    run = evaluation.run
    exceeded = {each.guard: each for each in trips}
    if not exceeded:
        return
    async for batch in _pending(run):
        staged = [each for effect in batch if (each := _stage(effect, exceeded))]
        for effect in staged:
            count(run.counts, effect, by=-1)
            evaluation.requests -= sends(effect)
        run.counts.staged += len(staged)
        await run.store.save_effects(run.rows, run.id, staged)
