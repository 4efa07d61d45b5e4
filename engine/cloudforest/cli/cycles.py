"""Running cycles for a person who watches, and the exit code that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import CloudforestError
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit, worst
from cloudforest.cli.terminal import bars
from cloudforest.control_plane.state_folder import at_state

_WRITES = (
    *("create", "update", "enable", "adopt", "disable", "delete"),
    *("memberAdd", "memberRemove", "purge"),
)
_RESTING = frozenset({"paused", "disabled"})
_CODES = {
    "succeeded": Exit.DONE,
    "partial": Exit.ESCROW,
    "blocked": Exit.BLOCKED,
    "failed": Exit.FAILED,
}


async def startable(client: ControlPlaneClient) -> list[str]:
    """Return the jobs that are not paused or disabled; say which are."""
    jobs = (await client.status())["jobs"]
    for each in jobs:
        if each["state"] in _RESTING:
            terminal.complain(
                f"Job {each['name']} is {each['state']}, so it is left out."
            )
    return [each["name"] for each in jobs if each["state"] not in _RESTING]


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
            terminal.complain(at_state(f"error: {job}: {cycle['error']}", state))
        cycles.append(cycle)
    return cycles


async def _run_job(
    client: ControlPlaneClient, job: str, *, progress: bool
) -> dict[str, Any]:
    with bars(f"{job}: starting", shown=progress) as shown:
        async for message in client.run_job(job):
            if cycle := message.get("cycle"):
                return dict(cycle)
            shown.show(job, message)
    raise CloudforestError(f"The cycle of {job} ended without a word; see the log.")


def show_cycles(cycles: Sequence[dict[str, Any]], state: Path | None) -> None:
    """Show what the cycles did, and for what is staged the command that tells more."""
    if not cycles:
        terminal.done("No cycle was run.")
        return
    terminal.show_cycles(cycles)
    for each in cycles:
        if each["state"] == "blocked":
            staged = terminal.command(f"cloudforest job staged {each['job']}", state)
            terminal.suggest(staged, "what waits for you")


def exit_code(cycles: Sequence[dict[str, Any]]) -> int:
    return worst(*(_code(each) for each in cycles))


def _code(cycle: dict[str, Any]) -> int:
    if cycle["state"] == "failed" and cycle["unreachable"]:
        return Exit.UNREACHABLE
    return _CODES[cycle["state"]]


def idle(cycle: dict[str, Any]) -> bool:
    """Tell whether a cycle that ended well had nothing to write."""
    counts = cycle["counts"]
    return cycle["state"] == "succeeded" and not any(counts[key] for key in _WRITES)
