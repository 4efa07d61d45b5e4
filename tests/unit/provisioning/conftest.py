"""The world in which provisioning is tested."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.world import World, memory_store


@pytest.fixture
async def world() -> AsyncIterator[World]:
    database, store = await memory_store()
    yield World(store)
    database.close()
