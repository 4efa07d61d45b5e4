"""Exports pending effects, phase by phase, through a bounded pipeline.

Many workers send requests; one writer stores the outcomes. No outcome is lost if one
of them fails.
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
    BATCH,
    PreparedEffect,
    mark_sent,
    prepare_effects,
)
from cloudforest.provisioning.export.value_swaps import break_swaps
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.run import CycleContext

MAX_GROUP = 200
GATHER_SECONDS = 0.02
"""Seconds to wait for more results, so that one transaction stores many."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class _Pipeline(Generic[T, R]):
    """`failure` is the first error that stops all work, such as an open breaker."""

    work: Callable[[T], Awaitable[list[R]]]
    sink: Callable[[list[R]], Awaitable[None]]
    todo: asyncio.Queue[T | None]
    finished: asyncio.Queue[list[R] | None]
    failure: CloudforestError | None = None


async def _put_items(
    pipeline: _Pipeline[T, R], items: AsyncIterator[T], workers: int
) -> None:
    async for item in items:
        if pipeline.failure is not None:
            break
        await pipeline.todo.put(item)
    for _ in range(workers):
        await pipeline.todo.put(None)


async def _run_worker(pipeline: _Pipeline[T, R]) -> None:
    while (item := await pipeline.todo.get()) is not None:
        if pipeline.failure is not None:
            continue
        try:
            results = await pipeline.work(item)
        except CloudforestError as error:
            pipeline.failure = error
            continue
        await pipeline.finished.put(results)


async def _write_groups(pipeline: _Pipeline[T, R]) -> None:
    """Pass results to the sink in groups that arrive within `GATHER_SECONDS`.

    The results of one item stay together: one transaction stores them.
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


def _unwrap_error(group: ExceptionGroup[Exception]) -> Exception:
    """Return the error of `items` or `sink`; a bug stays in its group."""
    known, others = group.split(CloudforestError)
    if known is None or others is not None:
        return group
    error: Exception = known
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def run_pipeline(
    items: AsyncIterator[T],
    work: Callable[[T], Awaitable[list[R]]],
    sink: Callable[[list[R]], Awaitable[None]],
    *,
    workers: int,
) -> None:
    """Work on all items; on a CloudforestError, stop and raise it.

    Items in progress are finished and their results stored first, unless `sink` failed.
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


@dataclass
class _Export:
    """The export of one cycle.

    `swapped_keys` are effects of value swaps already broken: once is enough.
    `settled_count` is for the progress.
    """

    context: CycleContext
    mappers: Mapping[ObjectType, Mapper]
    budget_charges: BudgetCharges = field(default_factory=BudgetCharges)
    swapped_keys: set[str] = field(default_factory=set)
    settled_count: int = 0

    async def send_phase(self, phase: int, *, is_last: bool = True) -> None:

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
        """Send the effects in conflict until no more values become free."""
        while await self._has_conflicts():
            before = self.settled_count
            await self.send_phase(PHASE_RETRY, is_last=False)
            if self.settled_count == before and not await self._break_swaps():
                break
        await self.send_phase(PHASE_RETRY)

    async def _break_swaps(self) -> bool:
        broken = await break_swaps(self.context, self._list_conflicts)
        self.swapped_keys |= broken
        return bool(broken)

    async def _list_conflicts(self) -> AsyncIterator[list[Effect]]:
        """Yield the effects in conflict, except those of broken swaps."""
        async for batch in self.context.read_pending_effects(PHASE_RETRY, BATCH):
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
    return isinstance(error, Unavailable) and not isinstance(error, TargetUnavailable)


async def export_effects(context: CycleContext) -> None:
    """Write the outbox to the target; count what was written in `context.counts`.

    Raises TargetUnavailable if the target is down. The remaining effects stay pending,
    and their creations did not reach the target (`model.ports.target.Target.create`).
    If the store is down, they may have: the next cycle looks for them in the target.
    """
    context.counts.forget_writes()
    try:
        await _export_phases(_Export(context, build_mappers(context.program)))
    except CloudforestError as error:
        if _is_store_failure(error):
            raise
        for phase in (PHASE_REFERENCED_FIRST, PHASE_WRITE, PHASE_ADOPT):
            async for batch in context.read_pending_effects(phase, BATCH):
                await mark_sent(context, batch, sent=False)
        # Requests without an answer say nothing about their objects.
        await release_unanswered(context, error)
        raise
    await context.store.close_stages(context.job.name, context.clock())
