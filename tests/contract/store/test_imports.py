"""Imports: the presence of each source object, and the inquiries that stay open."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.differing import differing

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.model.cycles import ImportEnd, Watermark
from cloudforest.model.effects import Effect, Outcome
from cloudforest.model.messages import (
    InScope,
    Members,
    MovedContainers,
    OutOfScope,
    Record,
    ScopeMembers,
    Tombstone,
    Unknown,
)
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link, SourceObject

MARK = Watermark(value="1", digest="d", directory="x", bindings={})
DELTA = ImportEnd(watermark=MARK)
FULL = ImportEnd(
    watermark=MARK, fully_read_types=("user", "group", "contact"), is_initial=True
)


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


def found(id_: str, kind: ObjectType = "user", **fields: Any) -> InScope:
    return InScope(
        id=id_,
        type=kind,
        dn=f"CN={id_}",
        parent=fields.pop("parent", None),
        anchor=id_,
        attributes=fields.pop("attributes", {"title": ("Clerk",)}),
        **fields,
    )


async def imported(
    store: ProvisioningStore, *records: Record, end: ImportEnd = DELTA, job: str = "j"
) -> list[str]:
    """Import one page; return the open inquiries."""
    generation = await store.begin_import(job)
    await store.save_page(job, generation, records, None)
    await store.finish_import(job, "t", generation, end)
    return await store.list_inquiries(job, 99)


async def answered(store: ProvisioningStore, *records: Record) -> None:
    """Answer all open inquiries with these records."""
    ids = await store.list_inquiries("j", 99)
    generation = await store.begin_import("j")
    await store.save_answers("j", generation, records)
    await store.close_inquiries("j", generation, ids, complete=True)
    assert await store.list_inquiries("j", 99) == []


async def linked(store: ProvisioningStore, *ids: str) -> None:
    outcomes = [
        Outcome(
            effect=Effect(
                key=id_,
                id=id_,
                type="user",
                resource_type="User",
                action="create",
                phase=1,
                anchor=id_,
            ),
            state="done",
            link=Link(
                object_guid=id_,
                type="user",
                resource=f"r-{id_}",
                resource_type="User",
                origin="created",
                source_anchor=id_,
                last_written={},
            ),
        )
        for id_ in ids
    ]
    await store.save_outcomes("j", "t", "c", outcomes=outcomes, log=[])


async def row(store: ProvisioningStore, id_: str) -> SourceObject:
    source = await store.load_source_object("j", id_)
    assert source is not None
    return source


async def presence(store: ProvisioningStore, *ids: str) -> list[str | None]:
    rows = [await store.load_source_object("j", each) for each in ids]
    return [each.presence if each else None for each in rows]


async def test_linked_object_out_of_scope_or_deleted_keeps_row_without_values(
    store: ProvisioningStore,
):
    await imported(store, *(found(each, seen=("dept",)) for each in "abcd"))
    await linked(store, "a", "b")

    await imported(
        store,
        OutOfScope(id="a"),
        Tombstone(id="b"),
        OutOfScope(id="c"),
        Tombstone(id="d"),
    )
    await store.forget_unlinked("j", "t")

    assert await presence(store, "a", "b", "c", "d") == ["out", "gone", None, None]
    assert (await row(store, "a")).attributes == {}
    assert (await row(store, "a")).shown == ()
    await imported(store, found("a"), OutOfScope(id="new"), Tombstone(id="b"))
    assert await presence(store, "a", "b", "new") == ["in", "gone", None]
    assert (await row(store, "a")).attributes == {"title": ("Clerk",)}


async def test_object_out_of_scope_by_hidden_attribute_is_unknown(
    store: ProvisioningStore,
):
    await imported(store, found("a", seen=("dept", "kind")), found("b", seen=("dept",)))
    hidden = OutOfScope(id="a", rests_on=("kind",))

    await imported(store, hidden, OutOfScope(id="b", rests_on=("kind",)))

    assert await presence(store, "a", "b") == ["unknown", "out"]
    kept = await row(store, "a")
    assert (kept.attributes, kept.shown) == ({"title": ("Clerk",)}, ("dept", "kind"))
    await imported(store, hidden)
    assert await presence(store, "a") == ["unknown"]
    await imported(store, OutOfScope(id="a"))
    assert await presence(store, "a") == ["out"]


async def test_hidden_attribute_still_counts_as_seen(store: ProvisioningStore):
    """With an OR filter, first one attribute may be hidden, and later the other."""
    await imported(store, found("a", seen=("dept", "kind")))
    await imported(store, found("a", seen=("kind",), hidden=("dept",)))
    assert (await row(store, "a")).shown == ("dept", "kind")

    await imported(store, OutOfScope(id="a", rests_on=("dept",)))

    assert await presence(store, "a") == ["unknown"]
    await imported(store, found("a", seen=("kind",)))
    assert (await row(store, "a")).shown == ("kind",)
    await imported(store, OutOfScope(id="a", rests_on=("dept",)))
    assert await presence(store, "a") == ["out"]


async def test_unknown_object_counts_only_while_linked(store: ProvisioningStore):
    await imported(store, found("a"), found("b"))
    await linked(store, "a")
    await store.add_inquiries("j", ["a", "b"])
    await answered(store)

    assert await presence(store, "a", "b") == ["unknown", "unknown"]
    assert [
        each.object_guid for each in await store.list_source_objects("j", "t", "", 9)
    ] == ["a"]
    assert await store.find_known_objects("j", "t", ["a", "b", "c"]) == {"a"}
    assert await store.list_unknown_objects("j", 1) == (2, ("a",))
    assert await store.list_unknown_objects("k", 1) == (0, ())


async def test_unreadable_object_gets_inquiry_and_then_is_unknown(
    store: ProvisioningStore,
):
    await imported(store, found("a"), found("b"))

    assert await imported(store, Unknown(id="a"), Unknown(id="new")) == ["a", "new"]
    assert await presence(store, "a") == ["in"]
    await answered(store, Unknown(id="a"), Unknown(id="new"))

    assert await presence(store, "a", "b", "new") == ["unknown", "in", None]


async def test_object_missing_from_full_read_gets_inquiry(store: ProvisioningStore):
    await imported(store, *(found(each) for each in "abcde"), end=FULL)
    await linked(store, "c", "d")
    await imported(store, OutOfScope(id="d"))

    assert await imported(store, found("a"), end=FULL) == ["b", "c", "e"]
    answer = [found("b"), Tombstone(id="c"), OutOfScope(id="e", clause="groups")]
    await answered(store, *answer)

    assert await presence(store, *"abcde") == ["in", "in", "gone", "out", "out"]
    again = ImportEnd(watermark=MARK, fully_read_types=("contact",))
    assert await imported(store, end=again) == []


async def test_interrupted_inquiry_stays_open(store: ProvisioningStore):
    await imported(store, found("a"), end=FULL)
    assert await imported(store, end=FULL) == ["a"]
    generation = await store.begin_import("j")
    await store.save_answers("j", generation, [Tombstone(id="a")])

    assert await store.list_inquiries("j", 9) == ["a"]
    assert await imported(store, found("a")) == []
    assert await presence(store, "a") == ["in"]


async def test_objects_that_enter_or_leave_scope_groups_get_inquiry(
    store: ProvisioningStore,
):
    first = [found("a"), found("b"), ScopeMembers(ids=("a", "b", "x"))]
    members = ImportEnd(
        watermark=MARK,
        fully_read_types=FULL.fully_read_types,
        is_initial=True,
        has_scope_members=True,
    )
    assert await imported(store, *first, end=members) == []

    some = ImportEnd(watermark=MARK, has_scope_members=True)
    changed = [ScopeMembers(ids=("a",)), ScopeMembers(ids=("c", "d")), found("d")]
    assert await imported(store, *changed, end=some) == ["b", "c"]
    await answered(store, OutOfScope(id="b"), found("c"))
    assert await imported(store) == []
    assert await imported(store, end=some) == ["a", "c", "d"]


async def test_scope_members_of_interrupted_import_get_inquiry_in_next_import(
    store: ProvisioningStore,
):
    await imported(store, ScopeMembers(ids=("a",)), end=FULL)
    generation = await store.begin_import("j")
    await store.save_page("j", generation, [ScopeMembers(ids=("a", "b"))], None)
    assert await store.list_inquiries("j", 9) == []

    again = ImportEnd(watermark=MARK, has_scope_members=True)
    assert await imported(store, ScopeMembers(ids=("a", "b")), end=again) == ["b"]


async def test_object_in_moved_container_gets_inquiry_unless_named(
    store: ProvisioningStore,
):
    inside = [found(each, parent="ou") for each in "abcd"]
    await imported(store, *inside, found("e", parent="other"))
    await linked(store, "d")
    await imported(store, Tombstone(id="d"))

    generation = await store.begin_import("j")
    await store.save_page(
        "j", generation, [found("a"), MovedContainers(ids=("ou",))], None
    )
    await store.save_page("j", generation, [found("b", parent="ou")], None)
    await store.finish_import("j", "t", generation, DELTA)

    assert await store.list_inquiries("j", 9) == ["c"]


async def test_group_that_enters_scope_is_read_with_all_members(
    store: ProvisioningStore,
):
    people = [found("a"), found("b"), found("x")]
    old = Members(id="g", add=("x",))
    assert await imported(store, *people, found("g", "group"), old, end=FULL) == []
    await imported(store, OutOfScope(id="g"))
    news = [found("g", "group"), Members(id="g", add=("b",))]
    assert await imported(store, *news, found("g", "group")) == ["g"]

    await answered(store, found("g", "group"), Members(id="g", add=("a", "b")))

    changes = await differing(store, "t", ("", ""), 9)
    assert changes == [("g", "a", True), ("g", "b", True)]
    assert await imported(store, found("g", "group")) == []


async def test_members_missing_from_incomplete_read_are_kept(
    store: ProvisioningStore,
):
    team = [found("g", "group"), found("a"), found("b")]
    await imported(store, *team, Members(id="g", add=("a", "b")), end=FULL)
    part = ImportEnd(
        watermark=MARK,
        fully_read_types=FULL.fully_read_types,
        is_initial=True,
        has_all_members=False,
    )

    await imported(store, *team, Members(id="g", add=("a",)), end=part)

    changes = await differing(store, "t", ("", ""), 9)
    assert changes == [("g", "a", True), ("g", "b", True)]
    await imported(store, *team, Members(id="g", add=("a",)), end=FULL)
    changes = await differing(store, "t", ("", ""), 9)
    assert changes == [("g", "a", True)]


async def test_daily_inquiries_include_unknown_or_managed_objects(
    store: ProvisioningStore,
):
    await imported(store, found("a"), found("b"), found("c"))
    await linked(store, "a", "b")
    await store.add_inquiries("j", ["c"])
    await answered(store)

    unknown = ImportEnd(watermark=MARK, inquire_about="unknown")
    assert await imported(store, end=unknown) == ["c"]
    await answered(store)
    managed = ImportEnd(watermark=MARK, inquire_about="managed")
    assert await imported(store, found("a"), end=managed) == ["b", "c"]


async def test_type_no_longer_imported_is_deleted_by_initial_import(
    store: ProvisioningStore,
):
    await imported(store, found("a"), found("g", "group"), end=FULL)
    await linked(store, "g")
    await imported(
        store, found("a"), end=ImportEnd(watermark=MARK, fully_read_types=("user",))
    )
    assert await presence(store, "a", "g") == ["in", "in"]

    users = ImportEnd(watermark=MARK, fully_read_types=("user",), is_initial=True)
    assert await imported(store, found("a"), end=users) == []

    assert await presence(store, "a", "g") == ["in", None]
    assert set(await store.load_links("t", ["g"])) == {"g"}


async def test_scratch_job_has_its_own_inquiries(store: ProvisioningStore):
    await imported(store, found("a"), ScopeMembers(ids=("a",)), end=FULL)
    await store.add_inquiries("j", ["a"])
    await store.copy_job_data("j", "plan:1")
    assert await store.list_inquiries("plan:1", 9) == ["a"]

    some = ImportEnd(watermark=MARK, has_scope_members=True)
    entered = ScopeMembers(ids=("a", "b"))
    assert await imported(store, entered, end=some, job="plan:1") == ["a", "b"]

    assert await store.list_inquiries("j", 9) == ["a"]
    await store.drop_job_data("plan:1")
    assert await store.list_inquiries("plan:1", 9) == []
    assert await store.load_watermark("j") == MARK
    assert await store.load_watermark("plan:1") is None


async def test_hidden_value_is_kept_until_attribute_is_proved_empty(
    store: ProvisioningStore,
):
    shown = found("a", attributes={"title": ("Clerk",), "mail": ("a@x",)})
    bare = found("a", attributes={"mail": ("a@x",)}, missing=("fax", "title"))
    await imported(store, shown)

    assert await imported(store, bare) == ["a"]
    row = await store.load_source_object("j", "a")
    assert row is not None
    assert row.attributes == shown.attributes
    assert row.hidden == ("title",)
    assert await store.find_hidden_attributes("j", ["a"]) == {"title"}
    assert await store.list_unknown_objects("j", 1) == (1, ("a",))

    await proving(store, bare, proved=())
    assert await store.list_inquiries("j", 9) == ["a"]
    await proving(store, bare, proved=("title",))
    assert await store.list_inquiries("j", 9) == []
    assert await imported(store, bare) == []
    daily = replace(DELTA, inquire_about="unknown")
    assert await imported(store, end=daily) == ["a"]

    await proving(store, replace(bare, missing=("fax",)), proved=("title",))
    row = await store.load_source_object("j", "a")
    assert row is not None
    assert (row.attributes, row.hidden) == (bare.attributes, ())
    assert await store.list_unknown_objects("j", 1) == (0, ())


async def proving(
    store: ProvisioningStore, record: Record, *, proved: tuple[str, ...]
) -> None:
    generation = await store.begin_import("j")
    await store.save_answers("j", generation, [record])
    await store.close_inquiries(
        "j", generation, ["a"], complete=True, proven_clear=proved
    )


async def test_group_that_may_hide_members_keeps_them(store: ProvisioningStore):
    group, members = found("g", "group"), Members(id="g", add=("a",))
    await imported(store, group, members, end=FULL)
    hides = replace(group, missing=("member",))

    assert await imported(store, hides, end=FULL) == ["g"]
    assert (await store.list_groups_of("j", "a", 9))[0] == 1
    await imported(store, group, end=FULL)
    assert (await store.list_groups_of("j", "a", 9))[0] == 0
