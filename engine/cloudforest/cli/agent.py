"""`agent token` and `agent status`, for operators."""

from __future__ import annotations

from typing import Annotated

import typer

from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import (
    TEXT,
    FormatOption,
    StateOption,
    async_command,
)
from cloudforest.cli.terminal import print_records, print_result


@async_command
async def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")],
    *,
    state: StateOption = None,
    output: FormatOption = TEXT,
) -> None:
    async with connect_to_state(state) as client:
        issued = await client.create_agent_token(name)
    print_result({"agent": name, "token": issued}, output, lambda: typer.echo(issued))


@async_command
async def status(*, state: StateOption = None, output: FormatOption = TEXT) -> None:
    async with connect_to_state(state) as client:
        agents = (await client.status())["agents"]
    print_result({"agents": agents}, output, lambda: print_records("Agents", agents))
