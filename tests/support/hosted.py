"""A control plane in this process, without a bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudforest.control_plane.assembly import HostOptions
from cloudforest.control_plane.host import HostedControlPlane, host_control_plane
from cloudforest.control_plane.state_folder import StateFolder


@pytest.fixture
async def hosted(tmp_path: Path) -> AsyncIterator[HostedControlPlane]:
    folder = StateFolder(tmp_path / "state")
    async with host_control_plane(folder, HostOptions(bus=False)) as plane:
        yield plane
