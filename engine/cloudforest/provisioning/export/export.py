"""Export, phase by phase: writes, disables, conflicts once more, then references.

A bounded pipeline: many workers, one writer, and nothing lost when one fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cloudforest.base.errors import CloudforestError, TargetUnavailable, Unavailable
from cloudforest.model.cycles import forget_writes
from cloudforest.model.effects import (
    PHASE_ADOPT,
    PHASE_LEAD,
    PHASE_RETRY,
    PHASE_WRITE,
    PHASES,
    Effect,
    Outcome,
)
from cloudforest.model.program import ObjectType
from cloudforest.provisioning.export.attempt import attempt
from cloudforest.provisioning.export.outcomes import Spending, give_back, store
from cloudforest.provisioning.export.requests import Ready, batches, marked, ready
from cloudforest.provisioning.export.value_swaps import break_rings
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.run import Run

GROUP = 200
GATHERING = 0.02
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


async def _feed(
    pipeline: _Pipeline[T, R], items: AsyncIterator[T], workers: int
) -> None:
    async for item in items:
        if pipeline.failure is not None:
            break
        await pipeline.todo.put(item)
    for _ in range(workers):
        await pipeline.todo.put(None)


async def _work(pipeline: _Pipeline[T, R]) -> None:
    while (item := await pipeline.todo.get()) is not None:
        if pipeline.failure is not None:
            continue
        try:
            results = await pipeline.work(item)
        except CloudforestError as error:
            pipeline.failure = error
            continue
        await pipeline.finished.put(results)


async def _write(pipeline: _Pipeline[T, R]) -> None:
    """Hand on results in groups: what has come a moment after the first of them.

    The results of one item are never parted: they are stored in one transaction.
    """
    ended = False
    while not ended:
        group: list[R] = []
        results = await pipeline.finished.get()
        await asyncio.sleep(GATHERING)
        while results is not None:
            group += results
            if len(group) >= GROUP or pipeline.finished.empty():
                break
            results = pipeline.finished.get_nowait()
        ended = results is None
        if group:
            await pipeline.sink(group)


async def drain(
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
    finished: asyncio.Queue[list[R] | None] = asyncio.Queue(2 * GROUP)
    pipeline = _Pipeline(work, sink, todo, finished)
    try:
        async with asyncio.TaskGroup() as writing:
            writing.create_task(_write(pipeline))
            async with asyncio.TaskGroup() as working:
                working.create_task(_feed(pipeline, items, workers))
                for _ in range(workers):
                    working.create_task(_work(pipeline))
            await pipeline.finished.put(None)
    except ExceptionGroup as group:
        raise _alone(group) from None
    if pipeline.failure is not None:
        raise pipeline.failure


def _alone(group: ExceptionGroup[Exception]) -> Exception:
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

    run: Run
    compiled: Mapping[ObjectType, Mapper]
    spending: Spending = field(default_factory=Spending)
    parted: set[str] = field(default_factory=set)
    done: int = 0

    async def drain(self, phase: int, *, last: bool = True) -> None:
        """Send what is pending of a phase."""

        async def sink(outcomes: list[Outcome]) -> None:
            await store(self.run, outcomes, self.spending)
            self.done += sum(each.state != "pending" for each in outcomes)
            self.run.progress("export", self.done)

        async def work(each: Ready) -> list[Outcome]:
            return await attempt(self.run, self.compiled, each, last=last)

        effects = ready(self.run, phase)
        await drain(effects, work, sink, workers=self.run.profile.concurrency)

    async def retry(self) -> None:
        """Send what is in conflict for as long as that frees the values of others."""
        while await self._is_stuck():
            before = self.done
            await self.drain(PHASE_RETRY, last=False)
            if self.done == before and not await self._break_rings():
                break
        await self.drain(PHASE_RETRY)

    async def _break_rings(self) -> bool:
        parted = await break_rings(self.run, self._stuck)
        self.parted |= parted
        return bool(parted)

    async def _stuck(self) -> AsyncIterator[list[Effect]]:
        """Yield what is in conflict, but what a broken ring was of."""
        async for batch in batches(self.run, PHASE_RETRY):
            yield [each for each in batch if each.key not in self.parted]

    async def _is_stuck(self) -> bool:
        run = self.run
        return bool(
            await run.store.pending(run.rows, run.id, PHASE_RETRY, after="", limit=1)
        )


async def _go(export: _Export) -> None:
    for phase in PHASES:
        if phase == PHASE_RETRY:
            await export.retry()
        else:
            await export.drain(phase)


def _is_of_the_store(error: CloudforestError) -> bool:
    down = isinstance(error, TargetUnavailable)
    return isinstance(error, Unavailable) and not down


async def export(run: Run) -> None:
    """Empty the outbox into the target; `run.counts` become what was written.

    Raises TargetUnavailable when that is down: what is left stays pending, and its
    creations did not reach the target (`model.ports.Target.create`). When the store is,
    they may have: the next cycle looks for them there.
    """
    forget_writes(run.counts)
    try:
        await _go(_Export(run, mappers(run.program)))
    except CloudforestError as error:
        if _is_of_the_store(error):
            raise
        for phase in (PHASE_LEAD, PHASE_WRITE, PHASE_ADOPT):
            async for batch in batches(run, phase):
                await marked(run, batch, sent=False)
        # Those were sent, and got an answer that says nothing.
        await give_back(run, error)
        raise
    await run.store.close_stages(run.job.name, run.clock())
