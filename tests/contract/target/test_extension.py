"""An extension of the target: each kind of attribute is set, changed and cleared."""

from __future__ import annotations

from typing import Any

import pytest

from cloudforest.model.effects import Change

SCHEMA = "urn:contoso:2.0:User"
DESK = f'{SCHEMA}:desks[type eq "work"]'

KINDS: list[tuple[str, Any, Any]] = [
    ("badge", 7, 0),
    ("cleared", True, False),
    ("rate", 0.5, 2.25),
    ("hired", "2026-11-23T08:00:00Z", "2027-01-01T00:00:00Z"),
    ("seal", "3q2+7w==", "AAEC"),
    ("motto", 'Zoë\'s "first"', "second"),
    ("skills", ["chess", "go"], ["go", "Ärger", "draughts"]),
    ("floors", [1, 2], [0]),
    ("office.room", "A 1", "B 2"),
    ("office.floor", 1, 0),
    ('desks[type eq "work"].number', 7, 8),
    ('desks[type eq "work"].label', "window", "door"),
]


async def _values(target, id_, *paths):
    (found,) = await target.find("User", "id", id_, paths)
    return found.values


@pytest.mark.parametrize(("name", "first", "second"), KINDS)
async def test_extension_attributes_are_created_changed_and_cleared(
    scim2_target, name, first, second
):
    path = f"{SCHEMA}:{name}"
    id_ = await scim2_target.create("User", {"userName": "zoe", path: first})
    assert await _values(scim2_target, id_, path) == {path: first}

    change = Change(path=path, before=first, after=second)
    await scim2_target.modify("User", id_, [change])
    assert await _values(scim2_target, id_, path) == {path: second}

    await scim2_target.modify("User", id_, [Change(path=path, before=second)])
    assert await _values(scim2_target, id_, path) == {}


@pytest.mark.parametrize(("name", "first", "second"), KINDS)
async def test_extension_attributes_are_added_to_a_user_without_extension(
    scim2_target, name, first, second
):
    path = f"{SCHEMA}:{name}"
    id_ = await scim2_target.create("User", {"userName": "zoe"})
    for before, after in ((None, first), (first, second), (second, None)):
        change = Change(path=path, before=before, after=after)
        await scim2_target.modify("User", id_, [change])
        wanted = {} if after is None else {path: after}
        assert await _values(scim2_target, id_, path) == wanted


async def test_extension_attributes_are_written_and_cleared_at_once(scim2_target):
    first = {f"{SCHEMA}:{name}": value for name, value, _ in KINDS}
    second = {f"{SCHEMA}:{name}": value for name, _, value in KINDS}
    id_ = await scim2_target.create("User", {"userName": "zoe", **first})
    assert await _values(scim2_target, id_, *first) == first
    changes = [
        Change(path=path, before=value, after=second[path])
        for path, value in first.items()
    ]
    await scim2_target.modify("User", id_, changes)
    assert await _values(scim2_target, id_, *first) == second
    cleared = [Change(path=path, before=value) for path, value in second.items()]
    await scim2_target.modify("User", id_, cleared)
    assert await _values(scim2_target, id_, "userName", *first) == {"userName": "zoe"}


async def test_sub_attribute_change_keeps_the_other_one(scim2_target):
    office = {f"{SCHEMA}:office.room": "A 1", f"{SCHEMA}:office.floor": 1}
    desk = {f"{DESK}.number": 7, f"{DESK}.label": "door"}
    held = {**office, **desk}
    id_ = await scim2_target.create("User", {"userName": "zoe", **held})
    for path in (f"{SCHEMA}:office.floor", f"{DESK}.label"):
        change = Change(path=path, before=held.pop(path))
        await scim2_target.modify("User", id_, [change])
        assert await _values(scim2_target, id_, *office, *desk) == held


async def test_values_are_added_to_those_of_others(scim2_target):
    path = f"{SCHEMA}:skills"
    id_ = await scim2_target.create("User", {"userName": "zoe", path: ["theirs"]})
    change = Change(path=path, before=None, after=["ours"], how="add")
    await scim2_target.modify("User", id_, [change])
    assert await _values(scim2_target, id_, path) == {path: ["theirs", "ours"]}


async def test_other_values_of_a_filtered_list_are_kept(scim2_target):
    other = f'{SCHEMA}:desks[type eq "home"].number'
    values = {"userName": "zoe", other: 1, f"{DESK}.number": 2}
    id_ = await scim2_target.create("User", values)
    await scim2_target.modify(
        "User", id_, [Change(path=f"{DESK}.number", before=2, after=3)]
    )
    both = (other, f"{DESK}.number")
    assert await _values(scim2_target, id_, *both) == {other: 1, f"{DESK}.number": 3}
