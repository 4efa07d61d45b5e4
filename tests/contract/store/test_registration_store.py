"""The registration, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore
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


async def test_empty_store_has_revision_zero(store):
    assert await store.load_registration() == (0, None)


async def test_latest_revision_is_the_registration(store):
    first = await store.register(tree("a"), base=0, operator="ann", now=NOW)
    second = await store.register(tree("a", "b"), base=1, operator="ann", now=NOW)
    assert (first, second) == (1, 2)
    assert await store.load_registration() == (2, tree("a", "b"))


async def test_stale_base_is_refused_and_changes_nothing(store):
    await store.register(tree("a"), base=0, operator="ann", now=NOW)
    with pytest.raises(Stale, match=r"revision 0.*revision 1"):
        await store.register(tree("b"), base=0, operator="bob", now=NOW)
    assert await store.load_registration() == (1, tree("a"))


async def test_agent_has_record_while_registered(database, store):
    identities = SqlIdentityStore(database)
    await store.register(tree("a", "b"), base=0, operator="ann", now=NOW)
    a, b = await identities.list_agents()
    assert (a.name, a.domains, a.certificate) == ("a", (), None)
    await identities.save_token("hash", b.id, NOW + timedelta(hours=1))

    await store.register(tree("a", "c"), base=1, operator="ann", now=NOW)

    kept, new = await identities.list_agents()
    assert (kept, new.name) == (a, "c")
    assert new.id not in {a.id, b.id}
    assert await identities.redeem_token("hash", NOW) is None


async def test_agent_with_other_domains_keeps_id_and_certificate(database, store):
    identities = SqlIdentityStore(database)
    await store.register(tree("a"), base=0, operator="ann", now=NOW)
    [made] = await identities.list_agents()
    enrolled = replace(made, certificate="PEM")
    await identities.update_agent(made.id, lambda _: enrolled)
    wanted = tree("a")
    served = replace(wanted.agents[0], domains=("lab.test",))

    await store.register(
        replace(wanted, agents=(served,)), base=1, operator="ann", now=NOW
    )

    assert await identities.list_agents() == [replace(enrolled, domains=("lab.test",))]
