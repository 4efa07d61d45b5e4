"""A cancelled task ends, even if a library drops the cancellation."""

from __future__ import annotations

import asyncio

import pytest

from cloudforest.base.processes import await_cancellable


async def test_cancellation_that_arrives_with_the_result_is_raised():
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(await_cancellable(asyncio.wait_for(answer, 60)))
    await asyncio.sleep(0)
    # `wait_for` has its result, but has not resumed yet.
    answer.set_result("pong")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_that_a_library_drops_is_raised():
    async def deaf() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "continued"
        raise AssertionError

    task = asyncio.create_task(await_cancellable(deaf()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_result_is_returned_after_an_earlier_timeout():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(60)
    assert await await_cancellable(asyncio.sleep(0, "done")) == "done"
