"""Jobs and their budgets."""

from __future__ import annotations

import msgspec

from cloudforest.model.value import Value


class Budget(Value, frozen=True):
    """At most `min(max, ceil(percent of max(managed, base)))` in `window` seconds."""

    max: int = 500
    percent: float = 20.0
    base: int = 50
    window: int = 86400


class Job(Value, frozen=True):
    """`interval` is in seconds."""

    name: str
    domain: str
    target: str
    scope: str
    mappings: tuple[str, ...]
    interval: int
    enabled: bool = True
    guard: dict[str, Budget] = msgspec.field(default_factory=dict)
    notify: tuple[str, ...] = ()
    formerly: str | None = None
