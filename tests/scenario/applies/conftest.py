"""Two changes, and the end state that each reaches without an interruption."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.scenario.applies.changes import Change, change, stored, with_steps, write
from tests.support.applies import Undisturbed

NEVER = "+1000000"


def undisturbed(change: Change, folder: Path) -> Undisturbed:
    cloudforest = change.copy(folder / "undisturbed")
    file = folder / "steps"
    ran = with_steps(cloudforest, file, signal.SIGKILL, NEVER)("apply", "--yes")
    assert ran.code == 0, ran
    return Undisturbed(change, file.read_text().splitlines(), stored(cloudforest.state))


@pytest.fixture(scope="session")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Undisturbed]:
    """Return a first apply, and one with renames and removals after cycles."""
    folder = tmp_path_factory.mktemp("changes")
    write(folder / "create" / "tree")
    synced = write(folder / "update" / "tree")
    assert synced.up_once()["state"] == "succeeded"
    for job in ("people", "lab"):  # `serve` must not run them
        assert synced("job", "pause", job).code == 0
    change(synced)
    return {
        each: undisturbed(Change(folder / each / "tree"), folder / each)
        for each in ("create", "update")
    }
