"""`status`: the state of the agents and the jobs."""

from __future__ import annotations

from typing import Any

from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    async_command,
    state_folder,
)
from cloudforest.cli.terminal import print_records, print_result


@async_command
async def status(
    *, state: StateOption = None, output: FormatOption = OutputFormat.TEXT
) -> int:
    """Show the agents and the jobs."""
    async with connect_to_state(state_folder(state)) as client:
        current = await client.status()
    print_result(current, output, lambda: _print_status(current))
    return ExitCode.DONE


def _print_status(current: dict[str, Any]) -> None:
    print_records("Agents", current["agents"])
    print_records("Jobs", current["jobs"])
