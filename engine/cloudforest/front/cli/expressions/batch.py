"""Many expressions from a file, each with its object, to many results."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudforest.base.errors import Misconfigured
from cloudforest.front.cli.expressions.objects import (
    NotAnEntry,
    attributes_of,
    moment_of,
    read_json,
    taken_of,
)
from cloudforest.program.expressions.evaluate import Setting
from cloudforest.program.expressions.trying import Result, try_expression


def _entry(entry: Any) -> Result:
    if not isinstance(entry, dict) or not isinstance(entry.get("expression"), str):
        raise NotAnEntry('An entry is an object with an "expression".')
    now, taken = entry.get("now"), entry.get("taken")
    setting = Setting(
        now=datetime.now(UTC) if now is None else moment_of(now),
        taken=frozenset() if taken is None else taken_of(taken),
    )
    held = entry.get("attributes")
    attributes = {} if held is None else attributes_of(held)
    return try_expression(entry["expression"], attributes, setting)


def _result(entry: Any) -> Result:
    try:
        return _entry(entry)
    except NotAnEntry as error:
        return Result("error", str(error))


def results(file: Path) -> list[dict[str, Any]]:
    """Return `{"value"}`, `{"outcome"}` or `{"error"}` for each entry, in its order."""
    entries = read_json(file)
    if not isinstance(entries, list):
        raise Misconfigured(
            f'{file} does not hold a JSON list of {{"expression", "attributes"}}.'
        )
    return [{each.kind: each.what} for each in map(_result, entries)]
