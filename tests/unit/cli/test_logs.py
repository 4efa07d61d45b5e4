"""The log as text, JSON and CSV."""

from __future__ import annotations

import csv
import json

import pytest

from cloudforest.cli.logs import LOG_COLUMNS, LOG_FORMATTERS, format_csv_row

ENTRY = {
    "id": 7,
    "time": "2026-11-23T12:00:00.123456Z",
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


def test_text_line_names_the_object_and_the_changes():
    line = LOG_FORMATTERS["text"](ENTRY)
    assert line == (
        "2026-11-23 12:00:00Z people update success anna@contoso.com  "
        "title: Clerk → (nothing)\n"
    )


def test_value_cannot_break_the_line_or_colour_the_terminal():
    line = LOG_FORMATTERS["text"]({**ENTRY, "name": "a\nb\x1b[31m"})
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_json_line_is_the_entry():
    assert json.loads(LOG_FORMATTERS["json"](ENTRY)) == ENTRY


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cell_is_never_a_formula(start: str):
    name = f'{start}HYPERLINK("http://evil","x")'
    row = LOG_FORMATTERS["csv"]({**ENTRY, "name": name})

    head, cells = csv.reader([format_csv_row(LOG_COLUMNS), row.replace("\r\n", "")])

    assert head == list(LOG_COLUMNS)
    found = dict(zip(head, cells, strict=True))
    assert found["name"] == f"'{name}".replace("\r", "\\r")
    assert json.loads(found["changes"]) == ENTRY["changes"]


@pytest.mark.parametrize("format_", ["text", "csv"])
def test_what_a_terminal_would_obey_is_not_printed(format_: str):
    row = LOG_FORMATTERS[format_]({**ENTRY, "name": "a\x1b[2Jb", "reason": "\x07"})
    assert row.rstrip().isprintable()
