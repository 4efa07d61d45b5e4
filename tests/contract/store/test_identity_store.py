"""Agents, tokens, assertions and operators, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore
from cloudforest.adapters.store.registration import save_agent
from cloudforest.model.identity import AgentRecord, AuditRecord, Operator

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(database: Database) -> SqlIdentityStore:
    return SqlIdentityStore(database)


def record(agent: str, **fields: object) -> AgentRecord:
    return AgentRecord(id=agent, name=f"name-{agent}", domains=("c.test",), **fields)


async def test_update_changes_the_stored_agent(
    database: Database, store: SqlIdentityStore
):
    await database.run(lambda connection: save_agent(connection, record("1")))
    changed = record("1", version="0.2.0", last_bootstrap=NOW)
    assert await store.update_agent("1", lambda _: changed) == changed
    assert await store.list_agents() == [changed]
    assert await store.update_agent("2", lambda held: held) is None


async def test_token_is_redeemed_once(store):
    await store.save_token("hash", "1", NOW + HOUR)
    assert await store.redeem_token("hash", NOW) == "1"
    assert await store.redeem_token("hash", NOW) is None


async def test_expired_token_is_not_redeemed(store):
    await store.save_token("hash", "1", NOW + HOUR)
    assert await store.redeem_token("hash", NOW + HOUR) is None


async def test_new_token_replaces_previous_token_of_agent(store):
    await store.save_token("old", "1", NOW + HOUR)
    await store.save_token("new", "1", NOW + HOUR)
    assert await store.redeem_token("old", NOW) is None
    assert await store.redeem_token("new", NOW) == "1"


async def test_assertion_is_new_once_and_deleted_after_expiry(store):
    assert await store.remember_jti("j", NOW + HOUR, NOW)
    assert not await store.remember_jti("j", NOW + HOUR, NOW)
    assert await store.remember_jti("j", NOW + 3 * HOUR, NOW + 2 * HOUR)


async def test_operator_is_found_by_latest_token_only(store):
    ann = Operator(name="ann", role="plan")
    await store.save_operator(ann, "one")
    await store.save_operator(ann, "two")
    assert await store.find_operator("one") is None
    assert await store.find_operator("two") == ann


async def test_audit_records_come_back_in_order_and_in_pages(store):
    actions = [f"action {number}" for number in range(3)]
    records = [
        AuditRecord(time=NOW, operator="ann", action=action, detail="people")
        for action in actions
    ]
    for record in records:
        await store.save_audit_record(record)

    [first, second] = await store.list_audit_records(after=0, limit=2)
    [third] = await store.list_audit_records(after=second[0], limit=2)

    assert [each for _, each in (first, second, third)] == records
