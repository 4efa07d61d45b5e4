"""`agent token` and `agent status`, for operators."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument

from cloudforest.cli import options, terminal
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import TEXT


@options.async_command
async def token(
    name: Annotated[str, Argument(metavar="NAME", help="The agent's name.")],
    *,
    state: options.State = None,
    output: options.Format = TEXT,
) -> None:
    async with connect_to_state(state) as client:
        issued = await client.create_agent_token(name)
    data = {"agent": name, "token": issued}
    terminal.print_result(data, output, lambda: typer.echo(issued))


@options.async_command
async def status(*, state: options.State = None, output: options.Format = TEXT) -> None:
    async with connect_to_state(state) as client:
        agents = (await client.status())["agents"]
    terminal.print_result(
        {"agents": agents}, output, lambda: terminal.print_records("Agents", agents)
    )
