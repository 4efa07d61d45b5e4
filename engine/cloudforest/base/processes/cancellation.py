"""Cancellations that libraries drop, raised all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def cancellable(work: Awaitable[T]) -> T:
    """Await `work`; raise a cancellation that came meanwhile and did not come through.

    `asyncio.wait_for` before Python 3.12 drops one that comes together with what it
    waits for (bpo-37658); nats-py drops some on purpose. Whoever was to end would then
    go on, and whoever ends it wait for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result
