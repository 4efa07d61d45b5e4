"""The five steps of one object, in the documented shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STEPS = ("import", "scope", "match", "map", "act")
NOT_REACHED = "not reached"
FIRST = 20
"""So many of a group's members, or of a person's groups, are named."""


@dataclass(frozen=True)
class Step:
    result: str
    detail: Any = None


Steps = Mapping[str, Step]


def told(subject: str, steps: Steps) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`, all five."""
    reached = [(name, steps.get(name, Step(NOT_REACHED))) for name in STEPS]
    return {
        "object": subject,
        "steps": [
            {"step": name, "result": step.result, "detail": step.detail}
            for name, step in reached
        ],
    }
