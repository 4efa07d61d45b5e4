"""One entry of the provisioning log as a line of words, JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from cloudforest.plan.rendering.wording import in_words

Entry = Mapping[str, Any]

COLUMNS = (
    *("id", "time", "cycle", "job", "object", "type", "name", "action", "status"),
    *("resource", "paths", "changes", "membersAdded", "membersRemoved"),
    *("httpStatus", "reason", "milliseconds"),
)
AUDITED = ("id", "time", "operator", "action", "detail")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula, whoever wrote it (OWASP)."""


def _changes(entry: Entry) -> Iterator[str]:
    for each in entry["changes"]:
        if each["before"] is None:
            yield f"{each['path']} = {in_words(each['after'])}"
        else:
            after = "(nothing)" if each["after"] is None else in_words(each["after"])
            yield f"{each['path']}: {in_words(each['before'])} → {after}"
    if members := entry["members"]:
        yield f"members: {members['added']} added, {members['removed']} removed"


def _text(entry: Entry) -> str:
    words = [entry[key] for key in ("time", "job", "action", "status", "name")]
    told = [entry["reason"] or "", "; ".join(_changes(entry))]
    whole = "  ".join(each for each in (" ".join(words), *told) if each)
    return _line(whole)


def _line(text: str) -> str:
    """Return it as one line; it may hold a break, or an escape that terminals obey."""
    shown = (
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text
    )
    return "".join(shown) + "\n"


def _json(entry: Entry) -> str:
    return msgspec.json.encode(entry).decode() + "\n"


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(_cell, cells))
    return line.getvalue()


def _csv(entry: Entry) -> str:
    members = entry["members"] or {}
    flat = {
        **entry,
        "paths": " ".join(entry["paths"]),
        "changes": msgspec.json.encode(entry["changes"]).decode(),
        "membersAdded": members.get("added"),
        "membersRemoved": members.get("removed"),
    }
    return _row(flat[column] for column in COLUMNS)


def csv_head() -> str:
    return _row(COLUMNS)


def audit_head() -> str:
    return _row(AUDITED)


AUDIT_LINES: Mapping[str, Callable[[Entry], str]] = {
    "text": lambda record: _line("  ".join(record[key] for key in AUDITED[1:])),
    "json": _json,
    "csv": lambda record: _row(record[key] for key in AUDITED),
}
"""The same for what operators had done."""

LINES: Mapping[str, Callable[[Entry], str]] = {
    "text": _text,
    "json": _json,
    "csv": _csv,
}
