"""The provisioning log: queries, numbering and pruning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.model.cycles import LogEntry, LoggedMembers, LogQuery
from cloudforest.model.effects import Change
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.source import TargetResource

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVER = {"first": 1, "last": 10**9}


@pytest.fixture
def store(database: Database) -> ProvisioningStore:
    return SqlProvisioningStore(database)


def entry(minutes: int, **fields: Any) -> LogEntry:
    values: dict[str, Any] = {
        "time": NOON + timedelta(minutes=minutes),
        "cycle": "c1",
        "job": "j",
        "object": "guid-a",
        "name": "Anna@contoso.com",
        "action": "update",
        "status": "success",
        **fields,
    }
    return LogEntry(**values)


ENTRIES = (
    entry(0, action="create"),
    entry(1, job="k"),
    entry(2, object="guid-b", name="Bert"),
    entry(3, status="failure", reason="No."),
    entry(4, cycle="c2"),
    entry(
        5,
        changes=(Change(path="title", before="Clerk", after=None),),
        members=LoggedMembers(added=1, removed=0, add=("guid-b",)),
    ),
)


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"job": "k"}, [1]),
        ({"object": "GUID-B"}, [2]),
        ({"object": "anna@CONTOSO.com"}, [0, 1, 3, 4, 5]),
        ({"action": "create"}, [0]),
        ({"status": "failure"}, [3]),
        ({"cycle": "c2"}, [4]),
        ({"since": NOON + timedelta(minutes=4)}, [4, 5]),
        ({"until": NOON + timedelta(minutes=1)}, [0]),
        ({"job": "j", "status": "success", "object": "guid-a"}, [0, 4, 5]),
    ],
)
async def test_log_query_finds_matching_entries(
    store: ProvisioningStore, query: dict[str, Any], minutes: list[int]
):
    await store.save_log_entries(ENTRIES)

    found = await store.list_log_entries(LogQuery(**query), **EVER, limit=9)

    assert [each for _, each in found] == [ENTRIES[minute] for minute in minutes]


async def test_entries_are_numbered_in_order_of_storing(store: ProvisioningStore):
    await store.save_log_entries(ENTRIES[3:])
    await store.save_log_entries(ENTRIES[:3])

    first, *_ = found = await store.list_log_entries(LogQuery(), **EVER, limit=4)

    assert [each for _, each in found] == [*ENTRIES[3:], ENTRIES[0]]
    rest = await store.list_log_entries(
        LogQuery(), first=first[0] + 1, last=found[-1][0], limit=9
    )
    assert rest == found[1:]


async def test_log_range_covers_entries_stored_out_of_order(store: ProvisioningStore):
    """Evaluations store the time at which they began after later entries."""
    await store.save_log_entries(
        [ENTRIES[0], ENTRIES[3], ENTRIES[1], ENTRIES[5], ENTRIES[2]]
    )
    east = timezone(timedelta(hours=5))
    since = (NOON + timedelta(minutes=1)).astimezone(east)
    query = LogQuery(since=since, until=NOON + timedelta(minutes=3))

    first, last = await store.find_log_range(query.since, query.until)
    found = await store.list_log_entries(query, first=first, last=last, limit=9)

    assert [each for _, each in found] == [ENTRIES[1], ENTRIES[2]]
    nothing = await store.find_log_range(NOON + timedelta(days=1), None)
    assert nothing[0] > nothing[1]


async def test_prune_deletes_oldest_entries_in_batches(store: ProvisioningStore):
    await store.save_log_entries(ENTRIES)
    before = NOON + timedelta(minutes=3)

    assert await store.prune_log(before, 2) == 2
    assert await store.prune_log(before, 2) == 1
    assert await store.prune_log(before, 2) == 0

    left = await store.list_log_entries(LogQuery(), **EVER, limit=9)
    assert [each for _, each in left] == list(ENTRIES[3:])


async def test_count_written_excludes_objects_with_failures(
    store: ProvisioningStore,
) -> None:
    snapshot = [TargetResource(id=each, values={}) for each in ("a", "b", "c", "d")]
    await store.save_snapshot("p", "drifted", snapshot, ())
    await store.save_log_entries(
        [
            entry(0, object="a"),
            entry(1, object="a", action="members"),
            entry(2, object="b"),
            entry(3, object="b", status="failure"),
            entry(4, object="c", status="staged"),
            entry(5, object="d", cycle="c2"),
            entry(6, object="e"),
        ]
    )

    assert await store.count_written("c1", "p") == 1
    assert await store.count_written("c2", "p") == 1
    assert await store.count_written("c3", "p") == 0
