"""When a job's next cycle may start: its interval, quarantine, breaker, hints."""

from __future__ import annotations
