from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from cloudforest.cli import terminal


def test_suggested_command_works_in_the_current_folder(monkeypatch):
    monkeypatch.setattr("sys.argv", [".venv/bin/cloudforest", "up", "a tree"])
    state = Path("a tree/.cloudforest")

    said = terminal.format_command("cloudforest job staged people", state)

    assert said == (
        ".venv/bin/cloudforest job staged people --state 'a tree/.cloudforest'"
    )


def test_list_too_long_for_a_line_has_one_line_per_value(
    capsys: pytest.CaptureFixture[str],
):
    guids = [str(uuid.UUID(int=number)) for number in range(3)]
    row = {"name": "people", "since": "2026-11-23T05:03:32.482468Z", "enabled": True}
    row["lastCycle"] = row["since"]

    terminal.print_records(
        "Jobs", [row | {"unknownObjects": guids, "certificate": "c"}]
    )

    lines = capsys.readouterr().out.splitlines()
    assert [f"      {each}" for each in guids] == lines[-3:]
    assert "    since: 2026-11-23 05:03:32Z" in lines
    assert "    last cycle: 2026-11-23 05:03:32Z" in lines
    assert "    enabled: true" in lines
    assert not any("certificate" in each for each in lines)


@pytest.mark.parametrize("printed", ["a\x1b[31mb", "a\x1b]0;title\x07b", "a\u202eb"])
def test_what_a_terminal_would_obey_is_escaped(capsys, printed):
    terminal.out_console.print(printed, markup=False)
    terminal.print_records("Agents", [{"name": printed, "version": printed}])
    shown = capsys.readouterr().out
    assert shown.count("\\") >= 3
    assert all(each.isprintable() for each in shown.splitlines())
