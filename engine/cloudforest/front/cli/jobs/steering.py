"""`job pause`, `start`, `restart` and `escrow`: a job's life by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.jobs.jobs import JobName
from cloudforest.front.cli.options import (
    Format,
    Output,
    State,
    state_folder,
    usage,
)
from cloudforest.front.hosting.connection import connect
from cloudforest.front.state import at_state
from cloudforest.model.provisioning import read_scopes

ALL = "all"


def _told(data: dict[str, Any], sentence: str, output: Format) -> int:
    if output is Format.JSON:
        terminal.print_json(data)
    else:
        terminal.done(sentence)
    return Exit.DONE


def pause(job: JobName, *, state: State = None, output: Output = Format.TEXT) -> int:
    """Start no more cycles of a job; the one that runs goes on to its end."""
    return asyncio.run(_pause(job, state, output))


async def _pause(job: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        await client.pause_job(job)
    return _told(
        {"job": job, "paused": True},
        at_state(f"Job {job} is paused; `cloudforest job start {job}` goes on.", state),
        output,
    )


def start(job: JobName, *, state: State = None, output: Output = Format.TEXT) -> int:
    """Go on with a job that is paused, disabled or in quarantine."""
    return asyncio.run(_start(job, state, output))


async def _start(job: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        await client.start_job(job)
    return _told(
        {"job": job, "paused": False},
        f"Job {job} is started; a running `serve` begins at once.",
        output,
    )


def restart(
    job: JobName,
    *,
    reset: Annotated[
        str,
        typer.Option(
            "--reset",
            metavar="SCOPES",
            help="Escrows, QuarantineState, Watermark, ConnectorDataStore or Full, "
            "with commas between; the first three if it is left out.",
        ),
    ] = "",
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """Let a job begin anew; what it made and linked stays."""
    scopes = reset.split(",")
    with usage():
        read_scopes(scopes)
    return asyncio.run(_restart(job, scopes, state, output))


async def _restart(
    job: str, scopes: list[str], state: Path | None, output: Format
) -> int:
    async with connect(state_folder(state)) as client:
        done = await client.restart_job(job, scopes)
    return _told(
        {"job": job, "reset": done},
        f"Job {job} begins anew: {', '.join(done)} are reset.",
        output,
    )


def escrow(
    job: JobName,
    *,
    retry: Annotated[
        str | None,
        typer.Option(
            "--retry",
            metavar="OBJECT",
            help="An objectGUID, or `all`: due at the next cycle.",
        ),
    ] = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """List what is held back of a job, or let it be tried again."""
    if retry is not None:
        return asyncio.run(_retry(job, retry, state, output))
    return asyncio.run(_escrow(job, state, output))


async def _retry(job: str, subject: str, state: Path | None, output: Format) -> int:
    named = None if subject == ALL else subject.lower()
    async with connect(state_folder(state)) as client:
        retried = await client.retry_escrow(job, named)
    return _told(
        {"job": job, "retried": retried},
        f"{retried} changes are tried again with the next cycle.",
        output,
    )


async def _escrow(job: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        held = [each async for each in client.escrow(job)]
    if output is Format.JSON:
        terminal.print_json({"job": job, "escrow": held})
    else:
        rows = [
            {"name": each["object"], "who": each.pop("name"), **each} for each in held
        ]
        terminal.show_each(f"In escrow of {job}", rows)
    return Exit.DONE
