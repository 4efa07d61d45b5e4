"""The git commit that a tree is at, for the audit."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SECONDS = 10


def commit_of(tree: Path) -> str | None:
    """Return the commit, `with changes` if the tree differs; None without git.

    The folder's own configuration may name a program as `core.fsmonitor`: not ours.
    """
    commit = _git(tree, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changed = _git(tree, "status", "--porcelain", "--", ".")
    return f"{commit} with changes" if changed else commit


def _git(tree: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            ["git", "-c", "core.fsmonitor=false", *words],  # noqa: S607 - the user's own
            cwd=tree,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
