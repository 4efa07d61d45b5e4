"""Where the schemas, mappings and starter trees are that ship with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def shipped(name: str) -> Path:
    """Return the folder `schemas`, `mappings` or `starters`.

    A wheel holds them inside the package; an editable install leaves them at the
    repository's root.
    """
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parents[1] / name
