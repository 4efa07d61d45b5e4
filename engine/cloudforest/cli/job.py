"""`job staged`, `job allow` and `job discard`: what a guard holds back.

`job list` and `job run`.

`job pause`, `start`, `restart` and `escrow`: a job's life by hand.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.cycles import cycles_exit_code, print_cycles, run_jobs
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    parse_future_time,
    report_as_usage_error,
    state_folder,
)
from cloudforest.control_plane.state_folder import (
    add_state_option,
    add_state_to_commands,
)
from cloudforest.model.jobs import parse_reset_scopes

StageArgument = Annotated[
    str,
    typer.Argument(
        metavar="STAGE", help="The stage's digest, or six of its characters."
    ),
]


def staged(
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="The job; all without it.")
    ] = None,
    *,
    objects: Annotated[
        bool, typer.Option("--objects", help="Name the objects, too.")
    ] = False,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """List what guards hold back until somebody decides."""
    return asyncio.run(_staged(job, state, output, objects=objects))


async def _staged(
    job: str | None, state: Path | None, output: OutputFormat, *, objects: bool
) -> int:
    async with connect_to_state(state_folder(state)) as client:
        stages = [_add_state_to_stage(each, state) for each in await client.stages(job)]
        if objects:
            stages = [await _add_objects(client, each) for each in stages]
    if output is OutputFormat.JSON:
        terminal.print_json({"stages": stages})
    else:
        terminal.print_records("Stages", [_format_stage(each) for each in stages])
    return ExitCode.DONE


def _add_state_to_stage(stage: dict[str, Any], state: Path | None) -> dict[str, Any]:
    """Return a stage whose commands work on this state."""
    commands = {
        key: add_state_option(stage[key], state) for key in ("allow", "discard")
    }
    return stage | commands


async def _add_objects(
    client: ControlPlaneClient, stage: dict[str, Any]
) -> dict[str, Any]:
    found = [each async for each in client.staged_objects(stage["digest"])]
    return {**stage, "objects": found}


def _format_staged_object(staged: dict[str, Any]) -> str:
    member = f": {staged['memberDn'] or staged['member']}" if staged["member"] else ""
    return f"{staged['action']} {staged['dn'] or staged['object']}{member}"


def _format_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Return a stage as people read it."""
    shown = {"name": stage["stage"]} | stage
    for key in ("stage", "digest"):
        del shown[key]
    if "objects" in stage:
        shown["objects"] = [_format_staged_object(each) for each in stage["objects"]]
    return shown


def allow(
    stage: StageArgument,
    *,
    until: Annotated[
        str, typer.Option("--until", help="For how long (2h), or until when.")
    ],
    by: Annotated[str, typer.Option("--by", help="Who says so; kept in the audit.")],
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Let the effects of a stage be written, as far as they are still wanted."""
    end = parse_future_time(until, datetime.now(UTC))
    return asyncio.run(_allow(stage, end, by, state, output))


async def _allow(
    stage: str, until: datetime, by: str, state: Path | None, output: OutputFormat
) -> int:
    async with connect_to_state(state_folder(state)) as client:
        allowed = await client.allow_stage(stage, until, by)
    if output is OutputFormat.JSON:
        terminal.print_json(allowed)
        return ExitCode.DONE
    short = allowed["digest"][:12]
    if allowed["job"] is None:
        terminal.print_done(
            f"No stage {short} is there yet; effects of this digest are allowed until "
            f"{allowed['until']}."
        )
        return ExitCode.DONE
    terminal.print_done(
        f"Stage {short}: {allowed['effects']} effects are allowed until "
        f"{allowed['until']}; the next cycle reads them again and writes them."
    )
    run = terminal.format_command(f"cloudforest job run {allowed['job']}", state)
    terminal.print_suggestion(run, "writes them now")
    return ExitCode.DONE


def discard(
    stage: StageArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Drop the effects of a stage; they come back when what is wanted changes."""
    return asyncio.run(_discard(stage, state, output))


async def _discard(stage: str, state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        discarded = await client.discard_stage(stage)
    if output is OutputFormat.JSON:
        terminal.print_json(discarded)
    else:
        terminal.print_done(
            f"Stage {discarded['digest'][:12]}: {discarded['effects']} effects are "
            "discarded."
        )
    return ExitCode.DONE


JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]


def list_jobs(
    *, state: StateOption = None, output: FormatOption = OutputFormat.TEXT
) -> int:
    """List the jobs that are registered."""
    return asyncio.run(_list_jobs(state, output))


async def _list_jobs(state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        jobs = await client.jobs()
    if output is OutputFormat.JSON:
        terminal.print_json({"jobs": jobs})
    else:
        terminal.print_records("Jobs", jobs)
    return ExitCode.DONE


def run(
    job: JobArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Run one cycle of a job now."""
    return asyncio.run(_run_and_print(job, state, output))


async def _run_and_print(job: str, state: Path | None, output: OutputFormat) -> int:
    text = output is OutputFormat.TEXT
    async with connect_to_state(state_folder(state), agents=True) as client:
        cycles = await run_jobs(client, [job], state, progress=text)
    if text:
        print_cycles(cycles, state)
    else:
        terminal.print_json({"jobs": cycles})
    return cycles_exit_code(cycles)


ALL_OBJECTS = "all"


def _print_outcome(data: dict[str, Any], message: str, output: OutputFormat) -> int:
    if output is OutputFormat.JSON:
        terminal.print_json(data)
    else:
        terminal.print_done(message)
    return ExitCode.DONE


def pause(
    job: JobArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Start no more cycles of a job; the one that runs goes on to its end."""
    return asyncio.run(_pause(job, state, output))


async def _pause(job: str, state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        await client.pause_job(job)
    return _print_outcome(
        {"job": job, "paused": True},
        add_state_to_commands(
            f"Job {job} is paused; `cloudforest job start {job}` goes on.", state
        ),
        output,
    )


def start(
    job: JobArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Go on with a job that is paused, disabled or in quarantine."""
    return asyncio.run(_start(job, state, output))


async def _start(job: str, state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        await client.start_job(job)
    return _print_outcome(
        {"job": job, "paused": False},
        f"Job {job} is started; a running `serve` begins at once.",
        output,
    )


def restart(
    job: JobArgument,
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
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Let a job begin anew; what it made and linked stays."""
    scopes = reset.split(",")
    with report_as_usage_error():
        parse_reset_scopes(scopes)
    return asyncio.run(_restart(job, scopes, state, output))


async def _restart(
    job: str, scopes: list[str], state: Path | None, output: OutputFormat
) -> int:
    async with connect_to_state(state_folder(state)) as client:
        done = await client.restart_job(job, scopes)
    return _print_outcome(
        {"job": job, "reset": done},
        f"Job {job} begins anew: {', '.join(done)} are reset.",
        output,
    )


def escrow(
    job: JobArgument,
    *,
    retry: Annotated[
        str | None,
        typer.Option(
            "--retry",
            metavar="OBJECT",
            help="An objectGUID, or `all`: due at the next cycle.",
        ),
    ] = None,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """List what is held back of a job, or let it be tried again."""
    if retry is not None:
        return asyncio.run(_retry(job, retry, state, output))
    return asyncio.run(_escrow(job, state, output))


async def _retry(
    job: str, subject: str, state: Path | None, output: OutputFormat
) -> int:
    named = None if subject == ALL_OBJECTS else subject.lower()
    async with connect_to_state(state_folder(state)) as client:
        retried = await client.retry_escrow(job, named)
    return _print_outcome(
        {"job": job, "retried": retried},
        f"{retried} changes are tried again with the next cycle.",
        output,
    )


async def _escrow(job: str, state: Path | None, output: OutputFormat) -> int:
    async with connect_to_state(state_folder(state)) as client:
        held = [each async for each in client.escrowed_objects(job)]
    if output is OutputFormat.JSON:
        terminal.print_json({"job": job, "escrow": held})
    else:
        rows = [
            {"name": each["object"], "who": each.pop("name"), **each} for each in held
        ]
        terminal.print_records(f"In escrow of {job}", rows)
    return ExitCode.DONE
