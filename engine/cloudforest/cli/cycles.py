"""Run cycles with progress bars, print them, and derive the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudforest.base.errors import CloudforestError
from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode, pick_exit_code
from cloudforest.control_plane.state_folder import add_state_to_commands

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient

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
    """Return the jobs that are not paused or disabled; report the others."""
    jobs = (await client.status())["jobs"]
    for each in jobs:
        if each["state"] in _STOPPED_STATES:
            message = f'Job "{each["name"]}" is {each["state"]} and is skipped.'
            terminal.print_to_stderr(message)
    return [each["name"] for each in jobs if each["state"] not in _STOPPED_STATES]


async def run_jobs(
    client: ControlPlaneClient,
    jobs: Sequence[str],
    state: Path | None,
    *,
    progress: bool,
) -> list[dict[str, Any]]:
    """Run one cycle of each job; return them as the documented JSON."""
    cycles = []
    for job in jobs:
        cycle = await _run_job(client, job, progress=progress)
        print_cycle_error(cycle, state)
        cycles.append(cycle)
    return cycles


async def _run_job(
    client: ControlPlaneClient, job: str, *, progress: bool
) -> dict[str, Any]:
    with terminal.show_progress(f"{job}: starting", enabled=progress) as shown:
        async for message in client.run_job(job):
            if cycle := message.get("cycle"):
                return dict(cycle)
            shown.update(job, message)
    raise CloudforestError(
        f'The cycle of "{job}" ended without a result. See the log of `serve`.'
    )


def print_cycle_error(cycle: Mapping[str, Any], state: Path | None) -> None:
    if cycle["error"]:
        message = f"error: {cycle['job']}: {cycle['error']}"
        terminal.print_to_stderr(add_state_to_commands(message, state))


def print_cycles(cycles: Sequence[dict[str, Any]], state: Path | None) -> None:
    """Show what the cycles did, and how to see the stages of blocked ones."""
    if not cycles:
        terminal.print_done("No cycle ran.")
        return
    terminal.print_cycle_table(cycles)
    for each in cycles:
        if each["state"] == "blocked":
            command = f"cloudforest job staged {each['job']}"
            terminal.suggest(command, "what waits for a decision", state)


def cycles_exit_code(cycles: Sequence[dict[str, Any]]) -> int:
    return pick_exit_code(
        *(
            ExitCode.UNREACHABLE
            if each["state"] == "failed" and each["unreachable"]
            else _CODE_BY_STATE[each["state"]]
            for each in cycles
        )
    )


def is_idle(cycle: dict[str, Any]) -> bool:
    """Return whether a cycle succeeded and had nothing to write."""
    wrote = any(cycle["counts"][key] for key in _WRITE_COUNTS)
    return cycle["state"] == "succeeded" and not wrote
