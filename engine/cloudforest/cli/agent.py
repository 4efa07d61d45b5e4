"""`agent token` and `agent status`, for operators."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.connection import connect
from cloudforest.cli.options import Format, Output, State, state_folder

AgentName = Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")]


def token(name: AgentName, *, state: State = None, output: Output = Format.TEXT) -> int:
    """Print a one-time token, valid for an hour, with which an agent enrols."""
    return asyncio.run(_token(name, state, output))


async def _token(name: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        made = await client.agent_token(name)
    if output is Format.JSON:
        terminal.print_json({"agent": name, "token": made})
    else:
        typer.echo(made)
    return Exit.DONE


def status(*, state: State = None, output: Output = Format.TEXT) -> int:
    """Show the agents that are registered."""
    return asyncio.run(_status(state, output))


async def _status(state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        agents = (await client.status())["agents"]
    if output is Format.JSON:
        terminal.print_json({"agents": agents})
    else:
        terminal.show_each("Agents", agents)
    return Exit.DONE
