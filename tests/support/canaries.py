"""Secrets that must not appear anywhere."""

from __future__ import annotations

from pathlib import Path


def assert_nowhere(folder: Path, *canaries: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            assert not [each for each in canaries if each.encode() in data], path
