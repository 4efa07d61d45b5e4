"""How far a plan or a cycle is, for a person at a terminal: a bar for each job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cloudforest.front import terminal

_PHASES = {
    "import": "reading the directory",
    "evaluate": "comparing",
    "count": "counting",
    "export": "writing to the target",
}
_BAR_WIDTH = 20
"""A line of 80 characters holds the rest as well."""


@dataclass
class Bars:
    """The bars of the jobs, in the order in which they began; `first` waits for one."""

    progress: Progress
    first: TaskID
    tasks: dict[str, TaskID] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)

    def show(self, job: str, message: Mapping[str, Any]) -> None:
        """Show `{"phase", "done", "total"}` of a job; only one is under way."""
        phase, done, total = message["phase"], message["done"], message["total"]
        of = "so far" if total is None else f"of {total:,}"
        described = f"{job}: {_PHASES[phase]}"
        if job not in self.tasks:
            self._begin(job, described)
        is_new = self.phases.get(job) != phase
        self.phases[job] = phase
        self.progress.update(
            self.tasks[job],
            description=described,
            counted=f"{done:,} {of}",
            completed=done,
            total=total,
            refresh=is_new or done == total,
        )

    def _begin(self, job: str, described: str) -> None:
        """Put a bar below those before, which have ended."""
        self.progress.update(self.first, visible=False)
        for before in self.tasks.values():
            self.progress.update(before, total=1, completed=1)
        self.tasks[job] = self.progress.add_task(described, total=None, counted="")


@contextmanager
def bars(waiting: str, *, shown: bool) -> Iterator[Bars]:
    """Show nothing where nobody looks: stderr is no terminal, or `shown` is false."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(_BAR_WIDTH),
        TextColumn("{task.fields[counted]}"),
        TimeElapsedColumn(),
    )
    disabled = not (shown and terminal.err.is_terminal)
    console = terminal.err
    with Progress(*columns, console=console, transient=True, disable=disabled) as all_:
        yield Bars(all_, all_.add_task(waiting, total=None, counted=""))
