"""The provisioning store's promises, on a database that the migrations made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from cloudforest.adapters.store.engine import Database
from cloudforest.adapters.store.migrate import migrate
from cloudforest.adapters.store.provisioning.store import SqlProvisioningStore
from cloudforest.adapters.store.tables import metadata
from cloudforest.model.messages import Gone, InScope, Members, OutOfScope
from cloudforest.model.ports import ProvisioningStore
from cloudforest.model.provisioning import (
    Cycle,
    Effect,
    Link,
    LogEntry,
    Outcome,
    TargetResource,
    Watermark,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARK = Watermark(value="1", digest="d", directory="x", bindings={})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/100% state.db")
    await migrate(database)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


def person(id_: str, *, kind: str = "user", **attributes: str) -> InScope:
    return InScope(
        id=id_,
        type=kind,  # type: ignore[arg-type]
        dn=f"CN={id_}",
        parent=None,
        anchor=id_,
        attributes={name: (value,) for name, value in attributes.items()},
    )


def effect(id_: str, **fields) -> Effect:
    return Effect(
        key=id_,
        id=id_,
        type="user",
        resource_type="User",
        action="create",
        phase=1,
        anchor=id_,
        **fields,
    )


def link(id_: str) -> Link:
    return Link(
        id=id_,
        type="user",
        resource=f"r-{id_}",
        resource_type="User",
        origin="created",
        anchor=id_,
        written={"userName": id_, "active": True},
    )


async def test_the_migrations_make_what_the_tables_say(database: Database):
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert await database.run(differences) == []
    await migrate(database)


async def test_what_a_page_says_last_about_an_object_holds(store: ProvisioningStore):
    await store.save_page("j", 1, [person("a", title="x"), Gone(id="a")], None)
    assert await store.source("j", "a") is None
    page = [OutOfScope(id="a"), person("a", title="y"), person("b")]
    await store.save_page("j", 2, page, None)

    rows = await store.sources("j", "", 10)

    assert [(row.id, row.attributes) for row in rows] == [
        ("a", {"title": ("y",)}),
        ("b", {}),
    ]
    assert await store.sources("j", "b", 10) == []
    assert await store.known("j", "t", ["a", "b", "c"]) == {"a", "b"}


async def test_a_page_and_its_cursor_are_stored_together(
    store: ProvisioningStore, database: Database, monkeypatch: pytest.MonkeyPatch
):
    generation = await store.begin_import("j", "c1")
    assert generation == 1
    monkeypatch.setattr(database, "run", _killed_after(database))
    with pytest.raises(InterruptedError):
        await store.save_page("j", generation, [person("a")], MARK)
    monkeypatch.undo()

    assert await store.watermark("j") is None
    assert await store.source("j", "a") is None
    await store.save_page("j", generation, [person("a")], MARK)
    assert await store.watermark("j") == MARK
    assert await store.begin_import("j", "c2") == 2
    assert await store.watermark("j") == MARK


def _killed_after(database: Database) -> Callable[..., object]:
    run = database.run

    async def killed(work):
        def broken(connection: Connection) -> None:
            work(connection)
            raise InterruptedError

        return await run(broken)

    return killed


async def test_a_full_read_forgets_only_members_that_it_did_not_name(
    store: ProvisioningStore,
):
    first = [person("g", kind="group"), person("h", kind="group"), person("a")]
    members = [Members(id="g", add=("a", "b")), Members(id="h", add=("a",))]
    await store.begin_import("j", "c1")
    await store.save_page("j", 1, [*first, person("b"), *members], None)
    await store.finish_import("j", 1, MARK, full=True)
    for group in ("g", "h"):
        await store.save_present("j", group, ["a", "b"])
    assert await store.membership_changes("j", "t", ("", ""), 10) == []

    await store.begin_import("j", "c2")
    page = [person("g", kind="group"), Members(id="g", add=("b",))]
    await store.save_page("j", 2, page, None)
    await store.finish_import("j", 2, MARK, full=True)

    changes = await store.membership_changes("j", "t", ("", ""), 10)
    assert changes == [("g", "a", False)]
    assert await store.emptied_groups("j", ["g", "h", "i"]) == {"i"}


async def test_a_membership_waits_until_both_ends_are_known(store: ProvisioningStore):
    page = [person("g", kind="group"), Members(id="g", add=("a", "b"))]
    await store.save_page("j", 1, page, None)
    assert await store.membership_changes("j", "t", ("", ""), 10) == []

    await store.save_page("j", 1, [person("a")], None)
    await store.record("k", "t", [_done("b")], [])

    wanted = await store.membership_changes("j", "t", ("", ""), 1)
    assert wanted == [("g", "a", True)]
    assert await store.membership_changes("j", "t", ("g", "a"), 9) == [("g", "b", True)]


def _done(id_: str) -> Outcome:
    return Outcome(effect=effect(id_), state="done", link=link(id_))


async def test_an_effect_leaves_the_outbox_with_its_outcome(store: ProvisioningStore):
    await store.save_effects("j", "c1", [effect("a"), effect("b"), effect("c")])
    escrowed = effect("b", state="escrowed", reason="No.", attempts=1, next_try=NOON)
    entry = LogEntry(
        time=NOON,
        cycle="c1",
        job="j",
        object="a",
        name="a",
        action="create",
        status="success",
    )
    await store.record(
        "j", "t", [_done("a"), Outcome(effect=escrowed, state="escrowed")], [entry]
    )

    assert await store.pending("j", 1, "", 10) == [effect("c")]
    assert await store.escrowed("j") == [escrowed]
    assert await store.effects("j", ["a", "b"]) == {"b": escrowed}
    assert await store.effect_counts() == {"j": {"escrowed": 1, "pending": 1}}
    assert await store.links("t", ["a", "b"]) == {"a": link("a")}
    assert await store.linked_resources("t", ["r-a", "r-b"]) == {"r-a": "a"}
    assert [each for _, each in await store.logs(job="j", object="a")] == [entry]

    await store.save_effects("j", "c2", [effect("c", reason="again")])
    await store.drop_effects("j", "c2")
    assert await store.pending("j", 1, "", 10) == [effect("c", reason="again")]
    assert await store.escrowed("j") == []


async def test_a_picture_is_searched_without_regard_to_case(store: ProvisioningStore):
    anna = TargetResource(id="1", values={"userName": "Anna", "title": "x"})
    other = TargetResource(id="2", values={"userName": "ANNA"})
    await store.save_snapshot("t/j", "User", [anna, other], ["userName"])

    found = await store.matches("t/j", "User", "userName", ["anna", "bob"])

    assert found == {"anna": (anna, other)}
    assert await store.matches("t/j", "User", "title", ["x"]) == {}
    assert await store.matches("t/k", "User", "userName", ["anna"]) == {}
    await store.clear_snapshot("t/j")
    assert await store.matches("t/j", "User", "userName", ["anna"]) == {}


async def test_a_cycle_that_was_cut_short_is_closed_by_the_next(
    store: ProvisioningStore,
):
    first = Cycle(id="1", job="j", kind="initial", state="running", started=NOON)
    await store.start_cycle(first)
    assert not await store.has_finished("j")
    later = NOON.replace(hour=13)
    second = Cycle(id="2", job="j", kind="initial", state="running", started=later)
    await store.start_cycle(second)
    done = Cycle(id="2", job="j", kind="initial", state="succeeded", started=later)
    await store.finish_cycle(done)

    assert await store.last_cycles() == {"j": done}
    assert await store.has_finished("j")


async def test_a_scratch_job_leaves_the_real_one_alone(store: ProvisioningStore):
    await store.begin_import("j", "c1")
    page = [person("g", kind="group"), person("a"), Members(id="g", add=("a",))]
    await store.save_page("j", 1, page, MARK)
    await store.copy_job("j", "plan")
    assert await store.watermark("plan") is None
    assert await store.begin_import("plan", "c2") == 2
    await store.save_page("plan", 2, [OutOfScope(id="a")], None)

    assert [row.id for row in await store.sources("plan", "", 9)] == ["g"]
    await store.drop_job("plan")
    assert await store.sources("plan", "", 9) == []
    assert [row.id for row in await store.sources("j", "", 9)] == ["a", "g"]
