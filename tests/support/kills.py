"""Two cycles that nobody disturbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Undisturbed:
    """`seconds` that the two cycles took, and the end state from each beginning."""

    seconds: tuple[float, float]
    end: dict[bool, dict[str, Any]]
