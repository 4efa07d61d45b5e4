"""`status` and `logs`: how things stand, and what was done to whom."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.options import Format, Output, State, state_folder
from cloudforest.front.hosting.connection import connect


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


def logs(
    *,
    state: State = None,
    job: Annotated[str | None, typer.Option("--job", help="Of one job only.")] = None,
    subject: Annotated[
        str | None, typer.Option("--object", help="Of one objectGUID only.")
    ] = None,
    output: Output = Format.TEXT,
) -> int:
    """Print the provisioning log, a line for each object and action."""
    filters = {"job": job, "object": subject}
    named = {key: value for key, value in filters.items() if value}
    return asyncio.run(_logs(state, named, output))


async def _logs(state: Path | None, filters: dict[str, str], output: Format) -> int:
    line = _as_json if output is Format.JSON else _as_text
    async with connect(state_folder(state)) as client:
        async for entry in client.logs(**filters):
            sys.stdout.write(line(entry) + "\n")
    return Exit.DONE


def _as_json(entry: dict[str, Any]) -> str:
    return msgspec.json.encode(entry).decode()


def _as_text(entry: dict[str, Any]) -> str:
    words = [entry[key] for key in ("time", "job", "action", "status", "name")]
    return " ".join([*words, entry["reason"] or ""]).rstrip()
