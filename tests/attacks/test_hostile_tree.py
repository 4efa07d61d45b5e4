"""A tree from a pull request that attacks those who plan or apply it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.installed import Installed


def run_git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def ship_repository(tree: Path, program: Path) -> Path:
    """Add ordinary files that git takes for a repository, and its filter runs."""
    (tree / ".gitattributes").write_text("*.yaml filter=x\n")
    run_git(tree, "init", "-q")
    run_git(tree, "add", ".")
    run_git(
        tree,
        *("-c", "user.name=mallory", "-c", "user.email=mallory@contoso.com"),
        *("commit", "-q", "-m", "A small change"),
    )
    for key, value in {
        "core.worktree": str(tree),
        "filter.x.clean": str(program),
        "filter.x.smudge": str(program),
    }.items():
        run_git(tree, "config", key, value)
    for path in (tree / ".git").iterdir():
        shutil.move(path, tree / path.name)
    (tree / ".git").rmdir()
    return tree


def ship_pointer(tree: Path, program: Path) -> Path:
    """Hide the same in a folder that a `.git` file names."""
    repository = ship_repository(tree, program)
    hidden = tree / "hidden"
    hidden.mkdir()
    for name in ("HEAD", "config", "index", "objects", "refs"):
        shutil.move(repository / name, hidden / name)
    (tree / ".git").write_text("gitdir: hidden\n")
    return tree


@pytest.mark.parametrize("ship", [ship_repository, ship_pointer])
@pytest.mark.parametrize(
    "command",
    [("validate",), ("plan", "--no-impact"), ("plan",), ("apply", "--yes")],
    ids=" ".join,
)
def test_program_that_a_tree_names_does_not_run(
    topology: Installed, tmp_path: Path, ship, command
) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    program.chmod(0o755)
    ship(topology.tree, program)
    # Documents that differ from the index make git run the filter.
    topology.edit("interval: 2m", "interval: 3m")
    run_git(topology.tree, "status")
    assert ran.exists(), "the attack works against git itself"
    ran.unlink()

    done = topology(*command)

    assert done.code in {0, 1}, done
    assert not ran.exists()
