"""Export, phase by phase: writes, disables, conflicts once more, then references.

A bounded pipeline: many workers, one writer, and nothing lost when one fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cloudforest.base.errors import CloudforestError, TargetUnavailable, Unavailable
from cloudforest.model.effects import (
    PHASE_ADOPT,
    PHASE_REFERENCED_FIRST,
    PHASE_RETRY,
    PHASE_WRITE,
    PHASES,
    Effect,
    Outcome,
)
from cloudforest.model.program import ObjectType
from cloudforest.provisioning.export.attempt import attempt_effect
from cloudforest.provisioning.export.outcomes import (
    BudgetCharges,
    release_unanswered,
    store_outcomes,
)
from cloudforest.provisioning.export.requests import (
    PreparedEffect,
    list_batches,
    mark_sent,
    prepare_effects,
)
from cloudforest.provisioning.export.value_swaps import break_swaps
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.run import CycleContext

MAX_GROUP = 200
GATHER_SECONDS = 0.02
"""Seconds to wait for more results: one transaction for many costs least."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class _Pipeline(Generic[T, R]):
    """`failure` is the first error that concerns everybody: the breaker is open."""

    work: Callable[[T], Awaitable[list[R]]]
    sink: Callable[[list[R]], Awaitable[None]]
    todo: asyncio.Queue[T | None]
    finished: asyncio.Queue[list[R] | None]
    failure: CloudforestError | None = None


async def _put_items(
    pipeline: _Pipeline[T, R], items: AsyncIterator[T], workers: int
) -> None:
    async for candidate in items:
        if pipeline.failure is not None:
            break
        await pipeline.todo.put(candidate)
    for _ in range(workers):
        await pipeline.todo.put(None)


async def _run_worker(pipeline: _Pipeline[T, R]) -> None:
    while (candidate := await pipeline.todo.get()) is not None:
        if pipeline.failure is not None:
            continue
        try:
            results = await pipeline.work(candidate)
        except CloudforestError as error:
            pipeline.failure = error
            continue
        await pipeline.finished.put(results)


async def _write_groups(pipeline: _Pipeline[T, R]) -> None:
    """Hand on results in groups: what has come a moment after the first of them.

    The results of one item are never parted: they are stored in one transaction.
    """
    ended = False
    while not ended:
        group: list[R] = []
        results = await pipeline.finished.get()
        await asyncio.sleep(GATHER_SECONDS)
        while results is not None:
            group += results
            if len(group) >= MAX_GROUP or pipeline.finished.empty():
                break
            results = pipeline.finished.get_nowait()
        ended = results is None
        if group:
            await pipeline.sink(group)


async def run_pipeline(
    items: AsyncIterator[T],
    work: Callable[[T], Awaitable[list[R]]],
    sink: Callable[[list[R]], Awaitable[None]],
    *,
    workers: int,
) -> None:
    """Work on all items; when an error concerns everybody, stop, store, raise it.

    What was under way is finished and its results are stored before that, unless it is
    `sink` that failed.
    """
    todo: asyncio.Queue[T | None] = asyncio.Queue(2 * workers)
    finished: asyncio.Queue[list[R] | None] = asyncio.Queue(2 * MAX_GROUP)
    pipeline = _Pipeline(work, sink, todo, finished)
    try:
        async with asyncio.TaskGroup() as writing:
            writing.create_task(_write_groups(pipeline))
            async with asyncio.TaskGroup() as working:
                working.create_task(_put_items(pipeline, items, workers))
                for _ in range(workers):
                    working.create_task(_run_worker(pipeline))
            await pipeline.finished.put(None)
    except ExceptionGroup as group:
        raise _unwrap_error(group) from None
    if pipeline.failure is not None:
        raise pipeline.failure


def _unwrap_error(group: ExceptionGroup[Exception]) -> Exception:
    """Return what `items` or `sink` failed for; a bug stays in its group."""
    known, others = group.split(CloudforestError)
    if known is None or others is not None:
        return group
    error: Exception = known
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass
class _Export:
    """The export of a cycle.

    `done` counts what is settled, for the progress; `parted` are the effects of which a
    ring was broken: once is enough.
    """

    context: CycleContext
    mappers: Mapping[ObjectType, Mapper]
    budget_charges: BudgetCharges = field(default_factory=BudgetCharges)
    swapped_keys: set[str] = field(default_factory=set)
    settled_count: int = 0

    async def send_phase(self, phase: int, *, is_last: bool = True) -> None:
        """Send what is pending of a phase."""

        async def sink(outcomes: list[Outcome]) -> None:
            await store_outcomes(self.context, outcomes, self.budget_charges)
            self.settled_count += sum(each.state != "pending" for each in outcomes)
            self.context.progress("export", self.settled_count)

        async def work(each: PreparedEffect) -> list[Outcome]:
            return await attempt_effect(
                self.context, self.mappers, each, is_last=is_last
            )

        effects = prepare_effects(self.context, phase)
        await run_pipeline(
            effects, work, sink, workers=self.context.profile.concurrency
        )

    async def retry_conflicts(self) -> None:
        """Send what is in conflict for as long as that frees the values of others."""
        while await self._has_conflicts():
            before = self.settled_count
            await self.send_phase(PHASE_RETRY, is_last=False)
            if self.settled_count == before and not await self._break_swaps():
                break
        await self.send_phase(PHASE_RETRY)

    async def _break_swaps(self) -> bool:
        parted = await break_swaps(self.context, self._list_conflicts)
        self.swapped_keys |= parted
        return bool(parted)

    async def _list_conflicts(self) -> AsyncIterator[list[Effect]]:
        """Yield what is in conflict, but what a broken ring was of."""
        async for batch in list_batches(self.context, PHASE_RETRY):
            yield [each for each in batch if each.key not in self.swapped_keys]

    async def _has_conflicts(self) -> bool:
        context = self.context
        return bool(
            await context.store.list_pending_effects(
                context.key_name, context.cycle_id, PHASE_RETRY, after="", limit=1
            )
        )


async def _export_phases(export: _Export) -> None:
    for phase in PHASES:
        if phase == PHASE_RETRY:
            await export.retry_conflicts()
        else:
            await export.send_phase(phase)


def _is_store_failure(error: CloudforestError) -> bool:
    down = isinstance(error, TargetUnavailable)
    return isinstance(error, Unavailable) and not down


async def export_effects(context: CycleContext) -> None:
    """Empty the outbox into the target; `run.counts` become what was written.

    Raises TargetUnavailable when that is down: what is left stays pending, and its
    creations did not reach the target (`model.ports.Target.create`). When the store is,
    they may have: the next cycle looks for them there.
    """
    context.counts.forget_writes()
    try:
        await _export_phases(_Export(context, build_mappers(context.program)))
    except CloudforestError as error:
        if _is_store_failure(error):
            raise
        for phase in (PHASE_REFERENCED_FIRST, PHASE_WRITE, PHASE_ADOPT):
            async for batch in list_batches(context, phase):
                await mark_sent(context, batch, sent=False)
        # Those were sent, and got an answer that says nothing.
        await release_unanswered(context, error)
        raise
    await context.store.close_stages(context.job.name, context.clock())
