"""Running cycles for a person who watches, and the exit code that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import CloudforestError
from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode, pick_exit_code
from cloudforest.cli.terminal import show_progress
from cloudforest.control_plane.state_folder import add_state_to_commands

_WRITE_COUNTS = (
    *("create", "update", "enable", "adopt", "disable", "delete"),
    *("memberAdd", "memberRemove", "purge"),
)
_STOPPED_STATES = frozenset({"paused", "disabled"})
_CODE_BY_STATE = {
    "succeeded": ExitCode.DONE,
    "partial": ExitCode.ESCROW,
    "blocked": ExitCode.BLOCKED,
    "failed": ExitCode.FAILED,
}


async def list_startable_jobs(client: ControlPlaneClient) -> list[str]:
    """Return the jobs that are not paused or disabled; say which are."""
    jobs = (await client.status())["jobs"]
    for each in jobs:
        if each["state"] in _STOPPED_STATES:
            terminal.print_to_stderr(
                f"Job {each['name']} is {each['state']}, so it is left out."
            )
    return [each["name"] for each in jobs if each["state"] not in _STOPPED_STATES]


async def run_jobs(
    client: ControlPlaneClient,
    jobs: Sequence[str],
    state: Path | None,
    *,
    progress: bool,
) -> list[dict[str, Any]]:
    """Run one cycle of each job; return them in the documented shape."""
    cycles = []
    for job in jobs:
        cycle = await _run_job(client, job, progress=progress)
        if cycle["error"]:
            terminal.print_to_stderr(
                add_state_to_commands(f"error: {job}: {cycle['error']}", state)
            )
        cycles.append(cycle)
    return cycles


async def _run_job(
    client: ControlPlaneClient, job: str, *, progress: bool
) -> dict[str, Any]:
    with show_progress(f"{job}: starting", enabled=progress) as shown:
        async for message in client.run_job(job):
            if cycle := message.get("cycle"):
                return dict(cycle)
            shown.update(job, message)
    raise CloudforestError(f"The cycle of {job} ended without a word; see the log.")


def print_cycles(cycles: Sequence[dict[str, Any]], state: Path | None) -> None:
    """Show what the cycles did, and for what is staged the command that tells more."""
    if not cycles:
        terminal.print_done("No cycle was run.")
        return
    terminal.print_cycle_table(cycles)
    for each in cycles:
        if each["state"] == "blocked":
            staged = terminal.format_command(
                f"cloudforest job staged {each['job']}", state
            )
            terminal.print_suggestion(staged, "what waits for you")


def cycles_exit_code(cycles: Sequence[dict[str, Any]]) -> int:
    return pick_exit_code(*(_cycle_exit_code(each) for each in cycles))


def _cycle_exit_code(cycle: dict[str, Any]) -> int:
    if cycle["state"] == "failed" and cycle["unreachable"]:
        return ExitCode.UNREACHABLE
    return _CODE_BY_STATE[cycle["state"]]


def is_idle(cycle: dict[str, Any]) -> bool:
    """Tell whether a cycle that ended well had nothing to write."""
    counts = cycle["counts"]
    return cycle["state"] == "succeeded" and not any(
        counts[key] for key in _WRITE_COUNTS
    )
