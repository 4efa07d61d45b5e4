"""`status`: the state of the agents and the jobs."""

from __future__ import annotations

from cloudforest.cli import options, terminal
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import TEXT


@options.async_command
async def status(*, state: options.State = None, output: options.Format = TEXT) -> None:
    async with connect_to_state(state) as client:
        current = await client.status()

    def show() -> None:
        terminal.print_records("Agents", current["agents"])
        terminal.print_records("Jobs", current["jobs"])

    terminal.print_result(current, output, show)
