from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from cloudforest.cli.options import (
    parse_future_time,
    parse_past_time,
    state_for_commands,
)


@pytest.mark.parametrize(
    ("state", "tree", "said"),
    [
        (None, ".", None),
        (None, "trees/a", "trees/a/.cloudforest"),
        ("s", ".", "s"),
        ("s", "trees/a", "s"),
    ],
)
def test_suggested_commands_name_a_state_that_is_not_the_default(
    state: str | None, tree: str, said: str | None
):
    found = state_for_commands(Path(state) if state else None, Path(tree))
    assert found == (Path(said) if said else None)


@pytest.mark.parametrize(
    ("typed", "duration"), [("2h", timedelta(hours=2)), ("1d", timedelta(days=1))]
)
def test_time_is_a_duration_from_now(typed: str, duration: timedelta):
    now, second = datetime.now(UTC), timedelta(seconds=1)
    assert abs(parse_past_time(typed) - (now - duration)) < second
    assert abs(parse_future_time(typed) - (now + duration)) < second


@pytest.mark.parametrize(
    "typed",
    ["2026-11-23T08:00:00+00:00", "2026-11-23T08:00Z", "2026-11-23 08:00:00Z"],
)
def test_time_is_iso_8601(typed: str):
    meant = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert parse_past_time(typed) == parse_future_time(typed) == meant


@pytest.mark.parametrize("typed", ["yesterday", "2w", "999999d", "0001-01-01"])
def test_invalid_time_is_refused(typed: str):
    with pytest.raises(typer.BadParameter, match="is not a time"):
        parse_past_time(typed)
