"""`status`: the state of the agents and the jobs."""

from __future__ import annotations

from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import (
    TEXT,
    FormatOption,
    StateOption,
    async_command,
)
from cloudforest.cli.terminal import print_records, print_result


@async_command
async def status(*, state: StateOption = None, output: FormatOption = TEXT) -> None:
    async with connect_to_state(state) as client:
        current = await client.status()

    def show() -> None:
        print_records("Agents", current["agents"])
        print_records("Jobs", current["jobs"])

    print_result(current, output, show)
