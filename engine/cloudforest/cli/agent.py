"""`agent token` and `agent status`, for operators."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    state_folder,
)

AgentArgument = Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")]


def token(
    name: AgentArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Print a one-time token, valid for an hour, with which an agent enrols."""
    return asyncio.run(_token(name, state, output))


async def _token(name: str, state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        made = await client.create_agent_token(name)
    if output is OutputFormat.JSON:
        terminal.print_json({"agent": name, "token": made})
    else:
        typer.echo(made)
    return ExitCode.DONE


def status(
    *, state: StateOption = None, output: FormatOption = OutputFormat.TEXT
) -> int:
    """Show the agents that are registered."""
    return asyncio.run(_status(state, output))


async def _status(state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        agents = (await client.status())["agents"]
    if output is OutputFormat.JSON:
        terminal.print_json({"agents": agents})
    else:
        terminal.print_records("Agents", agents)
    return ExitCode.DONE
