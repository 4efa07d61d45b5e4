from __future__ import annotations

import json
from datetime import UTC, datetime

from cloudforest.control_plane.api.status import shape_redacted_log_entry
from cloudforest.model.cycles import LogEntry, LoggedMembers
from cloudforest.model.effects import Change
from cloudforest.model.identity import ROLES, sees_values

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_role_plan_sees_neither_names_nor_values():
    entry = LogEntry(
        time=NOON,
        cycle="c",
        job="people",
        object="guid-a",
        name="anna@contoso.com",
        action="members",
        status="success",
        paths=("title",),
        changes=(Change(path="title", before="Clerk", after="Head"),),
        members=LoggedMembers(added=1, removed=0, add=("guid-b",)),
    )

    text = json.dumps(shape_redacted_log_entry(entry), default=str)

    assert not [each for each in ("anna", "Clerk", "Head", "guid-b") if each in text]
    assert "title" in text
    assert [role for role in ROLES if not sees_values(role)] == ["plan"]
