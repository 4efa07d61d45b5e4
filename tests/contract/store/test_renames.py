"""Renamed and removed jobs, targets and agents, in a migrated database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Table, insert, select
from tests.support.rows import effect, link, person

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.registration import (
    HISTORY_TABLES,
    SNAPSHOT_TABLES,
    SqlRegistrationStore,
    tables_with,
)
from cloudforest.base.errors import Stale
from cloudforest.model.cycles import Cycle, LogEntry, LogQuery
from cloudforest.model.effects import Outcome
from cloudforest.model.registration import (
    Agent,
    Job,
    Profile,
    Registration,
    Target,
    Tenant,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PEOPLE = Job(
    name="people",
    domain="contoso.com",
    target="cloud",
    scope="staff",
    mappings=("ad-user",),
    interval=120,
)
CLOUD = Target(name="cloud", scim="embedded", profile=Profile(name="generic"))
SYNC01 = Agent(name="sync01", domains=("contoso.com",), run="local")
TREE = Registration(
    tenant=Tenant(name="contoso", scenario="new-hybrid-customer"),
    targets=(CLOUD,),
    agents=(SYNC01,),
    jobs=(PEOPLE,),
)
RENAMED = replace(
    TREE,
    targets=(replace(CLOUD, name="new", formerly="cloud"),),
    agents=(replace(SYNC01, name="berlin", formerly="sync01"),),
    jobs=(replace(PEOPLE, name="staff", target="new", formerly="people"),),
)


@pytest.fixture
async def registrations(database: Database) -> SqlRegistrationStore:
    store = SqlRegistrationStore(database)
    await store.register(TREE, base=0, operator="ann", now=NOON)
    return store


async def register(store: SqlRegistrationStore, registration: Registration) -> None:
    await store.register(registration, base=1, operator="ann", now=NOON)


def row(table: Table, column: str, name: str, mark: str) -> dict[str, Any]:
    """Return a row of any table with a name; its other texts are the mark."""
    made: dict[str, Any] = {}
    for each in table.columns:
        kind = each.type.python_type
        if kind is int and each.primary_key and each.autoincrement is True:
            continue
        made[each.name] = {int: 1, float: 1.0, bool: True, bytes: b"{}"}.get(
            kind, {} if kind is dict else mark
        )
    return {**made, column: name}


async def fill(database: Database, column: str, name: str, mark: str) -> None:
    def work(connection: Connection) -> None:
        for table in tables_with(column):
            connection.execute(insert(table), row(table, column, name, mark))

    await database.run(work)


async def names(database: Database, column: str) -> dict[str, list[str]]:
    """Return the names that each table has rows of."""

    def work(connection: Connection) -> dict[str, list[str]]:
        return {
            table.name: sorted(connection.execute(select(table.c[column])).scalars())
            for table in tables_with(column)
        }

    return await database.run(work)


async def jobs_of_all_rows(database: Database) -> set[str]:
    return set().union(*(await names(database, "job")).values())


def test_every_table_with_job_or_target_is_handled():
    for column in ("job", "target"):
        named = {each for each in tables.metadata.tables.values() if column in each.c}
        assert named - set(tables_with(column)) <= set(SNAPSHOT_TABLES)
    assert {"source", "effect", "watermark", "log"} < {
        each.name for each in tables_with("job")
    }
    assert {"link", "written_member", "cycle"} <= {
        each.name for each in tables_with("target")
    }


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [("job", "people", "staff"), ("target", "cloud", "new")],
)
async def test_rename_moves_rows_of_every_table(
    database: Database,
    registrations: SqlRegistrationStore,
    column: str,
    before: str,
    after: str,
):
    await fill(database, column, before, "a")
    await fill(database, column, "other", "b")
    await register(registrations, RENAMED)
    for table, found in (await names(database, column)).items():
        assert found == sorted([after, "other"]), table


async def test_rename_deletes_leftovers_of_new_name(
    database: Database, registrations: SqlRegistrationStore
):
    await fill(database, "job", "people", "a")
    await fill(database, "job", "staff", "b")
    await register(registrations, RENAMED)
    kept = {each.name for each in HISTORY_TABLES}
    for table, found in (await names(database, "job")).items():
        assert found == (["staff"] * 2 if table in kept else ["staff"]), table


@pytest.mark.parametrize(("column", "name"), [("job", "people"), ("target", "cloud")])
async def test_removal_deletes_all_but_history(
    database: Database, registrations: SqlRegistrationStore, column: str, name: str
):
    await fill(database, column, name, "a")
    await fill(database, column, "other", "b")
    await register(registrations, replace(TREE, jobs=(), targets=()))
    kept = {each.name for each in HISTORY_TABLES}
    for table, found in (await names(database, column)).items():
        assert found == sorted(["other", *[name] * (table in kept)]), table


@pytest.mark.parametrize(
    ("target", "settled"), [("elsewhere", [None]), ("cloud", ["a"])]
)
async def test_job_with_another_target_is_evaluated_again(
    database: Database,
    registrations: SqlRegistrationStore,
    target: str,
    settled: list[str | None],
):
    await fill(database, "job", "people", "a")
    jobs = (replace(PEOPLE, target=target, interval=300),)
    targets = (CLOUD, replace(CLOUD, name="elsewhere"))
    await register(registrations, replace(TREE, jobs=jobs, targets=targets))
    query = select(tables.source.c.settled)
    assert settled == await database.run(
        lambda connection: list(connection.execute(query).scalars())
    )
    # Effects were given up or discarded in the previous target.
    effects = (await SqlProvisioningStore(database).count_effects()).get("people")
    assert (effects is None) == (target == "elsewhere")


async def test_links_stay_when_job_is_removed(
    database: Database, registrations: SqlRegistrationStore
):
    store = SqlProvisioningStore(database)
    await linked(store, "a")
    await register(registrations, replace(TREE, jobs=()))
    assert set(await store.load_links("cloud", ["a"])) == {"a"}
    assert await store.count_links("cloud", "people", None) == {}
    assert await store.count_links("cloud", None, None) == {"created": 1}


async def linked(store: SqlProvisioningStore, *ids: str, **fields: str) -> None:
    await store.save_page("people", 1, [person(each) for each in ids], None)
    for each in ids:
        outcome = Outcome(
            effect=effect(each), state="done", link=replace(link(each), **fields)
        )
        await store.save_outcomes("people", "cloud", "c", outcomes=[outcome], log=[])


async def test_links_are_counted_by_origin_job_and_type(database: Database):
    store = SqlProvisioningStore(database)
    await linked(store, "a", "b")
    await linked(store, "c", origin="adopted")
    await linked(store, "g", type="group")
    assert await store.count_links("cloud", None, None) == {"created": 3, "adopted": 1}
    assert await store.count_links("cloud", "people", "user") == {
        "created": 2,
        "adopted": 1,
    }
    assert await store.count_links("cloud", "people", "group") == {"created": 1}
    assert await store.count_links("cloud", "other", None) == {}
    assert await store.count_links("other", None, None) == {}


async def test_history_is_found_under_new_name(
    database: Database, registrations: SqlRegistrationStore
):
    store = SqlProvisioningStore(database)
    await store.start_cycle(cycle("1"))
    entry = LogEntry(
        time=NOON,
        cycle="1",
        job="people",
        object="a",
        name="CN=a",
        action="create",
        status="success",
    )
    await store.save_log_entries([entry])

    await register(registrations, RENAMED)

    last = (await store.load_last_cycles())["staff"]
    assert (last.id, last.job, last.target) == ("1", "staff", "new")
    # Log entries never change: they have the job's name of that time.
    found = await store.list_log_entries(
        LogQuery(job="staff"), first=1, last=9, limit=9
    )
    assert [each for _, each in found] == [entry]
    await store.start_cycle(replace(cycle("2"), job="staff", target="new"))
    assert set(await store.load_last_cycles()) == {"staff"}
    assert not await store.has_finished_cycle("people", "cloud")


def cycle(id_: str) -> Cycle:
    return Cycle(
        id=id_,
        job="people",
        target="cloud",
        kind="initial",
        state="running",
        started=NOON,
    )


async def test_renamed_agent_keeps_id_and_certificate(
    database: Database, registrations: SqlRegistrationStore
):
    store = SqlIdentityStore(database)
    [made] = await store.list_agents()
    enrolled = replace(made, certificate="PEM")
    await store.update_agent(made.id, lambda _: enrolled)
    await register(registrations, RENAMED)
    assert await store.list_agents() == [replace(enrolled, name="berlin")]
    found = await store.update_agent(made.id, lambda held: held)
    assert found == replace(enrolled, name="berlin")


async def test_refused_registration_renames_nothing(
    database: Database, registrations: SqlRegistrationStore
):
    await fill(database, "job", "people", "a")
    with pytest.raises(Stale):
        await registrations.register(RENAMED, base=0, operator="ann", now=NOON)
    assert await jobs_of_all_rows(database) == {"people"}


async def test_kill_between_rename_and_registration_rolls_back_both(
    database: Database,
    registrations: SqlRegistrationStore,
    monkeypatch: pytest.MonkeyPatch,
):
    await fill(database, "job", "people", "a")
    whole = database.run

    async def killed(work: Callable[[Connection], Any]) -> Any:
        def killing(connection: Connection) -> Any:
            work(connection)
            raise InterruptedError

        return await whole(killing)

    monkeypatch.setattr(database, "run", killed)
    with pytest.raises(InterruptedError):
        await register(registrations, RENAMED)
    monkeypatch.undo()

    assert await jobs_of_all_rows(database) == {"people"}
    assert await registrations.load_registration() == (1, TREE)
    await register(registrations, RENAMED)
    assert await jobs_of_all_rows(database) == {"staff"}
