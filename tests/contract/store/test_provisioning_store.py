"""The provisioning store, in a migrated database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from tests.support.differing import OF_T, differing
from tests.support.rows import MARK, effect, link, person

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.migrate import migrate
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.tables import metadata
from cloudforest.model.cycles import (
    Cycle,
    CycleState,
    ImportEnd,
    LogEntry,
    LogQuery,
)
from cloudforest.model.effects import Outcome
from cloudforest.model.messages import Members, OutOfScope, Tombstone
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.ports.target import AlreadyLinked
from cloudforest.model.source import TargetResource

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
END = ImportEnd(watermark=MARK, fully_read_types=("user", "group"), is_initial=True)


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


async def test_migrations_create_the_declared_tables(database: Database):
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert await database.run(differences) == []
    await migrate(database)


async def test_last_record_of_object_in_page_counts(store: ProvisioningStore):
    await store.save_page("j", 1, [person("a", title="x"), Tombstone(id="a")], None)
    assert await store.load_source_object("j", "a") is None
    page = [OutOfScope(id="a"), person("a", title="y"), person("b")]
    await store.save_page("j", 2, page, None)

    rows = await store.list_source_objects("j", "t", "", 10)

    assert [(row.object_guid, row.attributes) for row in rows] == [
        ("a", {"title": ("y",)}),
        ("b", {}),
    ]
    assert await store.list_source_objects("j", "t", "b", 10) == []
    assert await store.find_known_objects("j", "t", ["a", "b", "c"]) == {"a", "b"}


async def test_page_and_cursor_are_stored_in_one_transaction(
    store: ProvisioningStore, database: Database, monkeypatch: pytest.MonkeyPatch
):
    generation = await store.begin_import("j")
    assert generation == 1
    monkeypatch.setattr(database, "run", _killed_after(database))
    with pytest.raises(InterruptedError):
        await store.save_page("j", generation, [person("a")], MARK)
    monkeypatch.undo()

    assert await store.load_watermark("j") is None
    assert await store.load_source_object("j", "a") is None
    await store.save_page("j", generation, [person("a")], MARK)
    assert await store.load_watermark("j") == MARK
    assert await store.begin_import("j") == 2
    assert await store.load_watermark("j") == MARK


def _killed_after(database: Database) -> Callable[..., object]:
    run = database.run

    async def killed(work):
        def broken(connection: Connection) -> None:
            work(connection)
            raise InterruptedError

        return await run(broken)

    return killed


async def test_full_read_removes_only_members_that_it_did_not_name(
    store: ProvisioningStore,
):
    first = [person("g", kind="group"), person("h", kind="group"), person("a")]
    members = [Members(id="g", add=("a", "b")), Members(id="h", add=("a",))]
    await store.begin_import("j")
    await store.save_page("j", 1, [*first, person("b"), *members], None)
    await store.finish_import("j", "t", 1, END)
    present = [_done("a"), _members("g", "a", "b"), _members("h", "a")]
    await store.save_outcomes("j", "t", "c1", outcomes=present, log=[])
    assert await differing(store, "t", ("", ""), 10) == []

    await store.begin_import("j")
    page = [person("g", kind="group"), Members(id="g", add=("b",))]
    await store.save_page("j", 2, page, None)
    await store.finish_import("j", "t", 2, END)

    changes = await differing(store, "t", ("", ""), 10)
    assert changes == [("g", "a", False)]
    assert await store.find_emptied_groups(OF_T, "c2", ["g", "h", "i"]) == {"g", "i"}
    await store.save_effects("j", "c2", [effect("b")])
    assert await store.find_emptied_groups(OF_T, "c2", ["g", "h", "i"]) == {"i"}
    assert await store.find_emptied_groups(OF_T, "c3", ["g", "h", "i"]) == {"g", "i"}


async def test_membership_waits_until_group_and_member_are_known(
    store: ProvisioningStore,
):
    page = [person("g", kind="group"), Members(id="g", add=("a", "b"))]
    await store.save_page("j", 1, page, None)
    assert await differing(store, "t", ("", ""), 10) == []

    await store.save_page("j", 1, [person("a")], None)
    assert await differing(store, "t", ("g", "a"), 9) == []
    await store.save_page("k", 1, [person("b")], None)

    wanted = await differing(store, "t", ("", ""), 1)
    assert wanted == [("g", "a", True)]
    assert await differing(store, "t", ("g", "a"), 9) == [("g", "b", True)]


def _members(group: str, *members: str) -> Outcome:
    return Outcome(effect=effect(group), state="done", added=members)


async def test_written_members_belong_to_one_target_and_resource(
    store: ProvisioningStore,
):
    records = [person("g", kind="group"), person("a"), Members(id="g", add=("a",))]
    await store.save_page("j", 1, records, None)
    await store.save_outcomes("j", "t", "c1", outcomes=[_members("g", "a")], log=[])
    assert await differing(store, "t", ("", ""), 9) == []
    assert await differing(store, "u", ("", ""), 9) == [("g", "a", True)]

    group = msgspec.structs.replace(effect("g"), type="group")
    anew = Outcome(effect=group, state="done", link=link("g"))
    await store.save_outcomes("j", "t", "c2", outcomes=[anew], log=[])

    assert await differing(store, "t", ("", ""), 9) == [("g", "a", True)]


async def test_resource_is_linked_once_per_target(store: ProvisioningStore):
    other = msgspec.structs.replace(link("b"), resource="r-a")
    await store.save_outcomes("j", "t", "c1", outcomes=[_done("a")], log=[])
    clash = Outcome(effect=effect("b"), state="done", link=other)

    with pytest.raises(AlreadyLinked):
        await store.save_outcomes("j", "t", "c1", outcomes=[_done("c"), clash], log=[])

    assert set(await store.load_links("t", ["a", "b", "c"])) == {"a"}
    await store.save_outcomes("j", "u", "c1", outcomes=[clash], log=[])
    assert set(await store.load_links("u", ["b"])) == {"b"}


def _done(id_: str) -> Outcome:
    return Outcome(effect=effect(id_), state="done", link=link(id_))


async def test_effect_leaves_outbox_with_its_outcome(store: ProvisioningStore):
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
    outcomes = [_done("a"), Outcome(effect=escrowed, state="escrowed")]
    await store.save_outcomes("j", "t", "c1", outcomes=outcomes, log=[entry])

    assert await store.list_pending_effects("j", "c1", 1, after="", limit=9) == [
        effect("c")
    ]
    assert await store.list_escrowed_effects("j", after="", limit=9) == [
        (escrowed, None)
    ]
    assert await store.list_effects("j", after="", limit=1) == [escrowed]
    assert await store.list_effects("j", after="b", limit=9) == [effect("c")]
    assert await store.load_effects("j", ["a", "b"]) == {"b": escrowed}
    assert await store.count_effects() == {"j": {"escrowed": 1, "pending": 1}}
    assert await store.load_links("t", ["a", "b"]) == {"a": link("a")}
    assert await store.find_linked_objects("t", ["r-a", "r-b"]) == {"r-a": "a"}
    logged = await store.list_log_entries(LogQuery(job="j"), first=1, last=9, limit=9)
    assert [each for _, each in logged] == [entry]

    await store.save_effects("j", "c2", [effect("c", reason="again")])
    await store.drop_stale_effects("j", "c2")
    again = [effect("c", reason="again")]
    assert await store.list_pending_effects("j", "c2", 1, after="", limit=9) == again
    assert await store.list_pending_effects("j", "c1", 1, after="", limit=9) == []
    assert await store.find_pending_writes("j", "c2", ["a", "c"]) == {"c": None}
    assert await store.list_escrowed_effects("j", after="", limit=9) == []


async def test_prune_keeps_latest_cycle_and_latest_finished_cycle(
    store: ProvisioningStore,
):
    """Without a finished cycle a job could create without limit, as in its first."""

    async def ended(id_: str, hours: int, state: CycleState, target: str = "t") -> None:
        started = NOON + timedelta(hours=hours)
        of = {"id": id_, "job": "j", "target": target, "kind": "initial"}
        await store.finish_cycle(
            Cycle(**of, state=state, started=started), lambda health: health
        )

    await ended("a", 0, "succeeded", "elsewhere")
    await ended("b", 1, "succeeded")
    await ended("c", 2, "partial")
    await ended("d", 3, "failed")
    await ended("e", 4, "failed")
    late = NOON + timedelta(hours=9)

    assert await store.prune_cycles(NOON + timedelta(hours=1), 9) == 0
    assert await store.prune_cycles(late, 1) == 1
    assert await store.prune_cycles(late, 9) == 1
    assert await store.prune_cycles(late, 9) == 0

    assert (await store.load_last_cycles())["j"].id == "e"
    assert await store.has_finished_cycle("j", "t")
    assert await store.has_finished_cycle("j", "elsewhere")


async def test_due_effects_are_listed_in_pages(store: ProvisioningStore):
    times = {"a": 0, "b": 2, "c": 1, "d": None}
    held = [
        effect(
            key,
            state="escrowed",
            next_try=None if hours is None else NOON + timedelta(hours=hours),
        )
        for key, hours in times.items()
    ]
    await store.save_effects("j", "c1", [*held, effect("e")])

    async def due(hours: int, after: str = "") -> list[str]:
        now = NOON + timedelta(hours=hours)
        page = await store.list_due_effects("j", now, after=after, limit=2)
        return [each.key for each in page]

    assert await due(0) == ["a"]
    assert await due(1) == ["a", "c"]
    assert await due(2) == ["a", "b"]
    assert await due(2, "b") == ["c"]


async def test_snapshot_matches_as_the_target_would(store: ProvisioningStore):
    anna = TargetResource(id="1", values={"userName": "Anna", "externalId": "x" * 500})
    other = TargetResource(id="2", values={"userName": "ANNA", "externalId": "Id"})
    paths = ["userName", "externalId"]
    await store.save_snapshot("t/j", "User", [anna, other], paths)

    exact = ["Id", "ID", "x" * 500, "x" * 499]
    found = await store.find_snapshot_matches("t/j", "User", "externalId", exact)
    assert found == {"Id": (other,), "x" * 500: (anna,)}

    found = await store.find_snapshot_matches(
        "t/j", "User", "userName", ["Anna", "bob"]
    )

    assert found == {"anna": (anna, other)}
    assert await store.find_snapshot_matches("t/j", "User", "title", ["x"]) == {}
    assert await store.find_snapshot_matches("t/k", "User", "userName", ["anna"]) == {}
    await store.clear_snapshot("t/j")
    assert await store.find_snapshot_matches("t/j", "User", "userName", ["anna"]) == {}


async def test_snapshot_matches_numbers_and_booleans(
    store: ProvisioningStore,
):
    seven = TargetResource(id="1", values={"badge": 7, "cleared": False})
    half = TargetResource(id="2", values={"badge": 0.5, "cleared": True})
    await store.save_snapshot("t/j", "User", [seven, half], ["badge", "cleared"])

    by_badge = await store.find_snapshot_matches("t/j", "User", "badge", [7.0, 0.5, 70])
    assert by_badge == {"7": (seven,), "0.5": (half,)}
    by_truth = await store.find_snapshot_matches("t/j", "User", "cleared", [False])
    assert by_truth == {"false": (seven,)}


async def test_next_cycle_marks_interrupted_cycle_as_failed(
    store: ProvisioningStore,
):
    first = Cycle(
        id="1", job="j", target="t", kind="initial", state="running", started=NOON
    )
    await store.start_cycle(first)
    assert not await store.has_finished_cycle("j", "t")
    later = NOON.replace(hour=13)
    second = Cycle(
        id="2", job="j", target="t", kind="initial", state="running", started=later
    )
    await store.start_cycle(second)
    done = Cycle(
        id="2", job="j", target="t", kind="initial", state="succeeded", started=later
    )
    await store.finish_cycle(done, lambda health: health)

    assert await store.load_last_cycles() == {"j": done}
    assert not await store.has_finished_cycle("j", "u")
    assert await store.has_finished_cycle("j", "t")


async def test_scratch_job_does_not_change_the_real_job(store: ProvisioningStore):
    await store.begin_import("j")
    page = [person("g", kind="group"), person("a"), Members(id="g", add=("a",))]
    await store.save_page("j", 1, page, MARK)
    await store.copy_job_data("j", "plan")
    assert await store.load_watermark("plan") is None
    assert await store.begin_import("plan") == 2
    await store.save_page("plan", 2, [OutOfScope(id="a")], None)

    assert [
        row.object_guid for row in await store.list_source_objects("plan", "t", "", 9)
    ] == ["g"]
    await store.drop_job_data("plan")
    assert await store.list_source_objects("plan", "t", "", 9) == []
    await store.copy_job_data("j", "plan:x")
    await store.copy_job_data("new", "plan:new")
    await store.add_inquiries("plan:new", ["a"])
    await store.save_snapshot(
        "p", "User", [TargetResource(id="1", values={"a": "b"})], ["a"]
    )
    await store.drop_scratch_data()
    assert await store.list_source_objects("plan:x", "t", "", 9) == []
    assert await store.list_inquiries("plan:new", 9) == []
    assert await store.find_snapshot_matches("p", "User", "a", ["b"]) == {}
    assert [
        row.object_guid for row in await store.list_source_objects("j", "t", "", 9)
    ] == ["a", "g"]
