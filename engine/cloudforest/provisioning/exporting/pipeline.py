"""A bounded pipeline: many workers, one writer, and nothing lost when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloudforest.base.errors import CloudforestError

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
