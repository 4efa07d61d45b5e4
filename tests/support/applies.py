"""An apply without an interruption, to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.scenario.applies.changes import Change


@dataclass(frozen=True)
class Undisturbed:
    change: Change
    steps: list[str]
    end: dict[str, Any]
