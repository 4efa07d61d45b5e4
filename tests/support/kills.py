"""Two cycles without an interruption, to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Undisturbed:
    """The seconds of the two cycles, and the end state of each start state."""

    seconds: tuple[float, float]
    end: dict[bool, dict[str, Any]]
