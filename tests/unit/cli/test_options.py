from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from cloudforest.cli.options import parse_past_time, state_for_commands


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


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2h", NOON - timedelta(hours=2)),
        ("1d", NOON - timedelta(days=1)),
        ("2026-11-23T08:00:00+00:00", NOON - timedelta(hours=4)),
        ("2026-11-23T08:00Z", NOON - timedelta(hours=4)),
    ],
)
def test_time_is_a_duration_or_iso_8601(typed: str, meant: datetime):
    assert parse_past_time(typed, NOON) == meant


@pytest.mark.parametrize("typed", ["yesterday", "2w", "999999d", "0001-01-01"])
def test_invalid_time_is_refused(typed: str):
    with pytest.raises(typer.BadParameter, match="is not a time"):
        parse_past_time(typed, NOON)
