"""`job list` and `job run`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.jobs.cycles import exit_code, run_jobs, show_cycles
from cloudforest.front.cli.options import Format, Output, State, state_folder
from cloudforest.front.hosting.connection import connect

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]


def list_jobs(*, state: State = None, output: Output = Format.TEXT) -> int:
    """List the jobs that are registered."""
    return asyncio.run(_list_jobs(state, output))


async def _list_jobs(state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        jobs = await client.jobs()
    if output is Format.JSON:
        terminal.print_json({"jobs": jobs})
    else:
        terminal.show_each("Jobs", jobs)
    return Exit.DONE


def run(job: JobName, *, state: State = None, output: Output = Format.TEXT) -> int:
    """Run one cycle of a job now."""
    return asyncio.run(_run(job, state, output))


async def _run(job: str, state: Path | None, output: Format) -> int:
    text = output is Format.TEXT
    async with connect(state_folder(state), agents=True) as client:
        cycles = await run_jobs(client, [job], state, progress=text)
    if text:
        show_cycles(cycles, state)
    else:
        terminal.print_json({"jobs": cycles})
    return exit_code(cycles)
