"""`status`: how things stand."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    state_folder,
)


def status(
    *, state: StateOption = None, output: FormatOption = OutputFormat.TEXT
) -> int:
    """Show the agents and the jobs."""
    return asyncio.run(_status(state, output))


async def _status(state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        found = await client.status()
    if output is OutputFormat.JSON:
        terminal.print_json(found)
    else:
        terminal.print_records("Agents", found["agents"])
        terminal.print_records("Jobs", found["jobs"])
    return ExitCode.DONE
