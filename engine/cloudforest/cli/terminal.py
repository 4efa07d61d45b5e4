"""What commands print: text, tables and progress bars, or one JSON document."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cloudforest.base.values import escape_unprintable
from cloudforest.cli.options import OutputFormat

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PrintableConsole(Console):
    """Escapes what a terminal would obey, as agents and targets may send it."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            shown = text if control else escape_unprintable(text, allowed="\n")
            yield Segment(shown, style, control)


out_console = PrintableConsole(highlight=False)
err_console = PrintableConsole(stderr=True, highlight=False)

_HIDDEN_KEYS = frozenset({"name", "certificate"})
"""The name is the heading; a certificate's digest is for programs."""
_LABELS = {
    "allowedUntil": "allowed until",
    "certificateExpires": "certificate expires",
    "lastBootstrap": "last bootstrap",
    "lastCycle": "last cycle",
    "nextCycle": "next cycle",
    "unknownObjects": "unknown objects",
}
"""JSON keys in words; the other keys are words already."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T([0-9:]{8})(?:\.[0-9]+)?Z")
_LINE_LENGTH = 70
_ALWAYS_SHOWN_COUNTS = ("read", "inScope", "unchanged", "escrow")


def print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def print_result(
    data: Any, output: OutputFormat, shown: str | Callable[[], object]
) -> None:
    """Print `data` as JSON, or `shown` as text: a sentence, or a function to call."""
    if output is OutputFormat.JSON:
        print_json(data)
    elif isinstance(shown, str):
        print_done(shown)
    else:
        shown()


def print_done(message: str) -> None:
    print_line(Text.assemble(("✓ ", "green"), message))


def print_to_stderr(message: str) -> None:
    err_console.print(message, markup=False, soft_wrap=True)


def print_line(line: Text) -> None:
    """Print an unbroken line."""
    out_console.print(line, soft_wrap=True)


def print_suggestion(command: str, purpose: str) -> None:
    print_line(Text.assemble("  ", command, (f"   # {purpose}", "dim")))


def suggest(command_line: str, purpose: str, state: Path | None) -> None:
    """Suggest a `cloudforest …` command, as it works here."""
    print_suggestion(format_command(command_line, state), purpose)


def format_command(command_line: str, state: Path | None) -> str:
    """Return a `cloudforest …` command that works here: this program, that state."""
    program = shlex.quote(sys.argv[0]) if os.sep in sys.argv[0] else "cloudforest"
    named = f" --state {shlex.quote(str(state))}" if state else ""
    return program + command_line.removeprefix("cloudforest") + named


def print_heading(title: str) -> None:
    out_console.print(Text(f"\n{title}", style="bold"))


def print_cycle_table(cycles: Sequence[Mapping[str, Any]]) -> None:
    """Show the counts of the cycles, one column per cycle."""
    from rich.table import Table

    from cloudforest.plan.wording import COUNT_WORDS

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for each in cycles:
        table.add_column(each["job"], justify="right", style="bold")
    for key in ("state", "cycle"):
        table.add_row(key, *(each[key] for each in cycles))
    for key, words in COUNT_WORDS.items():
        numbers = [each["counts"][key] for each in cycles]
        if key in _ALWAYS_SHOWN_COUNTS or any(numbers):
            table.add_row(words, *(f"{number:,}" for number in numbers))
    table.add_row("requests", *(f"{each['requests']:,}" for each in cycles))
    table.add_row("seconds", *(f"{each['seconds']:.1f}" for each in cycles))
    out_console.print(table)


def print_records(title: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Show each record as a paragraph under its name, without empty values."""
    print_heading(title)
    if not records:
        out_console.print("  none", style="dim")
    for row in records:
        out_console.print(Text(f"  {row['name']}", style="bold"))
        for key, value in row.items():
            if key not in _HIDDEN_KEYS and value not in (None, {}, []):
                words = f"    {_LABELS.get(key, key)}: {_format_cell(value)}"
                words = words.replace(": \n", ":\n")
                out_console.print(words, markup=False, soft_wrap=True)


def format_time(text: str) -> str:
    """Return times as people read them: `2026-11-23 12:00:00Z`, as `--since` takes."""
    return _TIME.sub(r"\1 \2Z", text)


def _format_cell(value: Any) -> str:
    """Return a value in words; one too long for a line gets one line per part."""
    if isinstance(value, dict):
        parts = [f"{key}: {_format_cell(each)}" for key, each in value.items()]
    elif isinstance(value, list):
        parts = [_format_cell(each) for each in value]
    elif isinstance(value, str):
        return format_time(value)
    else:
        return msgspec.json.encode(value).decode()
    if len(line := ", ".join(parts)) < _LINE_LENGTH:
        return line
    return "".join(f"\n      {each}" for each in parts)


_PHASE_WORDS = {
    "import": "reading the directory",
    "evaluate": "comparing",
    "count": "counting",
    "export": "writing to the target",
}
_BAR_WIDTH = 20
"""Leaves room for the rest in 80 characters."""


@dataclass
class ProgressBars:
    """One bar per job, in the order of their start; before that, `waiting_task`."""

    progress: Progress
    waiting_task: TaskID
    tasks: dict[str, TaskID] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)

    def update(self, job: str, message: Mapping[str, Any]) -> None:
        """Show a `{"phase", "done", "total"}` message; one job runs at a time."""
        phase, done, total = message["phase"], message["done"], message["total"]
        total_text = "so far" if total is None else f"of {total:,}"
        description = f"{job}: {_PHASE_WORDS[phase]}"
        if job not in self.tasks:
            self._add_bar(job, description)
        is_new = self.phases.get(job) != phase
        self.phases[job] = phase
        self.progress.update(
            self.tasks[job],
            description=description,
            counted=f"{done:,} {total_text}",
            completed=done,
            total=total,
            refresh=is_new or done == total,
        )

    def _add_bar(self, job: str, description: str) -> None:
        """Add a bar below the earlier ones, which have ended."""
        self.progress.update(self.waiting_task, visible=False)
        for before in self.tasks.values():
            self.progress.update(before, total=1, completed=1)
        self.tasks[job] = self.progress.add_task(description, total=None, counted="")


@contextmanager
def show_progress(initial_text: str, *, enabled: bool) -> Iterator[ProgressBars]:
    """Show progress bars if `enabled` and stderr is a terminal."""
    from rich import progress

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(_BAR_WIDTH),
        progress.TextColumn("{task.fields[counted]}"),
        progress.TimeElapsedColumn(),
    )
    off = not (enabled and err_console.is_terminal)
    bars = progress.Progress(*columns, console=err_console, transient=True, disable=off)
    with bars:
        yield ProgressBars(bars, bars.add_task(initial_text, total=None, counted=""))
