"""What an agent's last bootstrap says about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cloudforest.model.identity import AgentRecord, AgentState

INACTIVE_AFTER = timedelta(hours=1)
UNLISTED_AFTER = timedelta(days=10)


def agent_state(record: AgentRecord, now: datetime) -> AgentState:
    if record.last_bootstrap is None:
        return "pending"
    if now - record.last_bootstrap > INACTIVE_AFTER:
        return "inactive"
    return "active"


def listed(records: Iterable[AgentRecord], now: datetime) -> list[AgentRecord]:
    """Leave out agents that have not been heard of for ten days."""
    return [
        each
        for each in records
        if each.last_bootstrap is None or now - each.last_bootstrap <= UNLISTED_AFTER
    ]
