"""The pipeline raises the error that stopped it, from either end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloudforest.base.errors import Unavailable
from cloudforest.provisioning.export.export import run_pipeline

AWAY = Unavailable("Database error: not available.")


async def numbers(fails_at: int = 1000) -> AsyncIterator[int]:
    for number in range(300):
        if number == fails_at:
            raise AWAY
        yield number


async def same(number: int) -> list[int]:
    return [number]


async def test_all_results_are_stored():
    stored: list[int] = []

    async def store(some: list[int]) -> None:
        stored.extend(some)

    await run_pipeline(numbers(), same, store, workers=4)
    assert sorted(stored) == list(range(300))


async def test_failure_to_store_results_is_raised_unchanged():
    async def refuse(_some: list[int]) -> None:
        raise AWAY

    with pytest.raises(Unavailable, match=str(AWAY)):
        await run_pipeline(numbers(), same, refuse, workers=4)


async def test_failure_to_read_items_is_raised_unchanged():
    async def store(_some: list[int]) -> None: ...

    with pytest.raises(Unavailable, match=str(AWAY)):
        await run_pipeline(numbers(fails_at=120), same, store, workers=4)


async def test_bug_stays_in_its_exception_group():
    async def broken(_some: list[int]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await run_pipeline(numbers(), same, broken, workers=4)
