"""The number of examples of a property test: all with `--long` and in CI."""

from __future__ import annotations

from hypothesis import settings


def most(count: int) -> int:
    """Return `count`, or a quarter of it where a sample is enough."""
    whole = settings.get_current_profile_name() == "whole"
    return count if whole else count // 4
