"""A blocking reader seen from the event loop, one small batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

BATCH = 100
"""Objects in memory at once: the reader waits until they have been used."""
_END = object()


def _take(reader: Generator[T, Any, Any]) -> list[T]:
    return list(islice(reader, BATCH))


def _next(reader: Iterator[object]) -> bool:
    return next(reader, _END) is not _END


def _close(reader: Generator[Any, Any, Any]) -> None:
    try:
        reader.close()
    except ValueError:
        # A thread is inside it; the aborted source ends it there.
        return


async def in_thread(
    reader: Generator[T, Any, Any], *, abort: Callable[[], None]
) -> AsyncIterator[T]:
    """Yield what the reader yields; it runs in a thread, and only when asked.

    `abort` must make a reader that waits for its source give up; it is called when the
    consumer stops early, or is cancelled while the thread reads.
    """
    finished = False
    try:
        while batch := await asyncio.to_thread(_take, reader):
            for each in batch:
                yield each
        finished = True
    finally:
        if not finished:
            abort()
            _close(reader)


async def signals(
    reader: Generator[None, Any, Any], *, abort: Callable[[], None]
) -> AsyncIterator[None]:
    """Yield as often as the reader does; it may wait for days.

    So it has a thread of its own: those that all share must come back.
    """
    own = ThreadPoolExecutor(1, thread_name_prefix="watch")
    loop = asyncio.get_running_loop()
    try:
        while await loop.run_in_executor(own, _next, reader):
            yield
    finally:
        abort()
        own.shutdown(wait=False, cancel_futures=True)
