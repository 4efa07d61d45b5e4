"""The registration in real databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudforest.adapters.store.engine import Database
from cloudforest.adapters.store.registration import SqlRegistrationStore
from cloudforest.base.errors import Stale
from cloudforest.model.registration import Agent, Registration, Tenant

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> SqlRegistrationStore:
    return SqlRegistrationStore(database)


def tree(*agents: str) -> Registration:
    return Registration(
        tenant=Tenant(name="contoso", scenario="new-hybrid-customer"),
        agents=tuple(Agent(name=name, domains=(), run="local") for name in agents),
    )


async def test_nothing_is_registered_at_first(store):
    assert await store.registration() == (0, None)


async def test_the_latest_revision_is_the_registration(store):
    first = await store.register(tree("a"), base=0, operator="ann", now=NOW)
    second = await store.register(tree("a", "b"), base=1, operator="ann", now=NOW)
    assert (first, second) == (1, 2)
    assert await store.registration() == (2, tree("a", "b"))


async def test_a_stale_base_is_refused_and_changes_nothing(store):
    await store.register(tree("a"), base=0, operator="ann", now=NOW)
    with pytest.raises(Stale, match=r"revision 1.*against 0"):
        await store.register(tree("b"), base=0, operator="bob", now=NOW)
    assert await store.registration() == (1, tree("a"))
