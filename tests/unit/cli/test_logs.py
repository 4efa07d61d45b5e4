"""The log for people, for programs and for spreadsheets."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta

import pytest
import typer

from cloudforest.cli.logs import COLUMNS, LINES, csv_head
from cloudforest.cli.options import past
from cloudforest.control_plane.api.status import without_values
from cloudforest.model.cycles import LogEntry, LoggedMembers
from cloudforest.model.effects import Change
from cloudforest.model.identity import ROLES, sees_values

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENTRY = {
    "id": 7,
    "time": "2026-11-23T12:00:00Z",
    "cycle": "c",
    "job": "people",
    "object": "g",
    "name": "anna@contoso.com",
    "type": "user",
    "action": "update",
    "status": "success",
    "resource": "r",
    "paths": ["title"],
    "changes": [{"path": "title", "before": "Clerk", "after": None}],
    "members": None,
    "httpStatus": 200,
    "reason": None,
    "milliseconds": 12,
}


def test_a_line_for_people_says_who_and_what():
    line = LINES["text"](ENTRY)
    assert line == (
        "2026-11-23T12:00:00Z people update success anna@contoso.com  "
        "title: Clerk → (nothing)\n"
    )


def test_a_value_cannot_make_another_line_or_colour_the_terminal():
    line = LINES["text"]({**ENTRY, "name": "a\nb\x1b[31m"})
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_a_line_for_programs_is_the_entry():
    assert json.loads(LINES["json"](ENTRY)) == ENTRY


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_is_never_a_formula(start: str):
    name = f'{start}HYPERLINK("http://evil","x")'
    row = LINES["csv"]({**ENTRY, "name": name})

    head, cells = csv.reader([csv_head(), row.replace("\r\n", "")])

    assert head == list(COLUMNS)
    found = dict(zip(head, cells, strict=True))
    assert found["name"] == f"'{name}"
    assert json.loads(found["changes"]) == ENTRY["changes"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2h", NOON - timedelta(hours=2)),
        ("1d", NOON - timedelta(days=1)),
        ("2026-11-23T08:00:00+00:00", NOON - timedelta(hours=4)),
        ("2026-11-23T08:00Z", NOON - timedelta(hours=4)),
    ],
)
def test_times_are_typed_as_people_say_them(typed: str, meant: datetime):
    assert past(typed, NOON) == meant


@pytest.mark.parametrize("typed", ["yesterday", "2w", "999999d", "0001-01-01"])
def test_what_is_no_time_is_refused(typed: str):
    with pytest.raises(typer.BadParameter, match="is not a time"):
        past(typed, NOON)


def test_a_pipeline_sees_neither_names_nor_values():
    entry = LogEntry(
        time=NOON,
        cycle="c",
        job="people",
        object="guid-a",
        name="anna@contoso.com",
        action="members",
        status="success",
        paths=("title",),
        changes=(Change(path="title", before="Clerk", after="Head"),),
        members=LoggedMembers(added=1, removed=0, add=("guid-b",)),
    )

    told = json.dumps(without_values(entry), default=str)

    assert not [each for each in ("anna", "Clerk", "Head", "guid-b") if each in told]
    assert "title" in told
    assert [role for role in ROLES if not sees_values(role)] == ["plan"]
