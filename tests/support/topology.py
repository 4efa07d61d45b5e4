"""A copy of the shipped topology, which a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.installed import TOPOLOGY, Installed


@pytest.fixture
def topology(tmp_path: Path) -> Installed:
    """Return the command in a copy of the topology, without state."""
    tree = tmp_path / "tree"
    shutil.copytree(TOPOLOGY, tree, ignore=shutil.ignore_patterns(".cloudforest"))
    return Installed(tree)
