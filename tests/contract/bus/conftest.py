"""The buses under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.bus import Bus, RealBus, memory_bus, nats_bus, running_server


@pytest.fixture
async def real_bus(tmp_path: Path) -> AsyncIterator[RealBus]:
    async with running_server(tmp_path) as bus:
        yield bus


@pytest.fixture(params=[memory_bus, nats_bus], ids=["memory", "nats"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    async with request.param(tmp_path) as made:
        yield made
