"""The words that notices share."""

from __future__ import annotations

from datetime import UTC, datetime


def when(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
