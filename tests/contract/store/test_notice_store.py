"""Sent notices, in a migrated database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlNoticeStore
from cloudforest.adapters.store.migrate import migrate
from cloudforest.model.ports.notices import Occurrence

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DISABLES = Occurrence(kind="guard", name="people", detail="disables")
DELETES = Occurrence(kind="guard", name="people", detail="deletes")
SILENT = Occurrence(kind="agent-inactive", name="sync01")


@pytest.fixture
async def store(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    await migrate(database)
    yield SqlNoticeStore(database)
    database.close()


async def test_sent_notice_is_kept_until_cleared(store):
    assert await store.list_notified() == frozenset()
    await store.mark_notified([DISABLES, SILENT], NOW)
    await store.mark_notified([DISABLES, DELETES], NOW)
    assert await store.list_notified() == {DISABLES, DELETES, SILENT}
    await store.clear_notified([DELETES])
    assert await store.list_notified() == {DISABLES, SILENT}


async def test_marking_no_notices_stores_nothing(store):
    await store.mark_notified([], NOW)
    await store.clear_notified([])
    assert await store.list_notified() == frozenset()
