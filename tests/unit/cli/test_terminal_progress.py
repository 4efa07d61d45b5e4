"""The progress bars of a plan and a cycle on a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from cloudforest.cli import terminal
from cloudforest.cli.terminal import show_progress


def drawn(monkeypatch: pytest.MonkeyPatch, *, at_terminal: bool, shown: bool) -> str:
    file = StringIO()
    console = Console(
        file=file, force_terminal=at_terminal, width=80, color_system=None
    )
    monkeypatch.setattr(terminal, "err_console", console)
    with show_progress("evaluating", enabled=shown) as jobs:
        jobs.update("people", {"phase": "import", "done": 1234, "total": None})
        jobs.update("people", {"phase": "evaluate", "done": 500, "total": 2000})
        jobs.update("guests", {"phase": "evaluate", "done": 7, "total": 7})
    return file.getvalue()


def test_each_job_has_a_bar_with_its_counts(
    monkeypatch: pytest.MonkeyPatch,
):
    text = drawn(monkeypatch, at_terminal=True, shown=True)

    assert "people: reading the directory" in text
    assert "1,234 so far" in text
    assert "500 of 2,000" in text
    last = [line for line in text.splitlines() if "0:00" in line][-2:]
    assert "people: comparing" in last[0]
    assert "guests: comparing" in last[1]
    assert "7 of 7" in last[1]


def test_no_bar_without_a_terminal_or_if_disabled(monkeypatch: pytest.MonkeyPatch):
    assert drawn(monkeypatch, at_terminal=False, shown=True) == ""
    assert drawn(monkeypatch, at_terminal=True, shown=False) == ""
