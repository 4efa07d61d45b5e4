"""`status`: how things stand."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.connection import connect
from cloudforest.cli.options import Format, Output, State, state_folder


def status(*, state: State = None, output: Output = Format.TEXT) -> int:
    """Show the agents and the jobs."""
    return asyncio.run(_status(state, output))


async def _status(state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        found = await client.status()
    if output is Format.JSON:
        terminal.print_json(found)
    else:
        terminal.show_each("Agents", found["agents"])
        terminal.show_each("Jobs", found["jobs"])
    return Exit.DONE
