"""`job …`: list and run jobs, pause and restart them, and decide on stages."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.base.values import format_count
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.cycles import cycles_exit_code, print_cycles, run_jobs
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    async_command,
    parse_future_time,
    report_as_usage_error,
    state_folder,
)
from cloudforest.cli.terminal import (
    format_command,
    print_done,
    print_records,
    print_result,
    print_suggestion,
)
from cloudforest.control_plane.state_folder import (
    add_state_option,
    add_state_to_commands,
)
from cloudforest.model.jobs import parse_reset_scopes

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]
StageArgument = Annotated[
    str,
    typer.Argument(
        metavar="STAGE",
        help="The digest of the stage, or at least six of its characters.",
    ),
]
ALL_OBJECTS = "all"


@async_command
async def list_jobs(
    *, state: StateOption = None, output: FormatOption = OutputFormat.TEXT
) -> int:
    """List the registered jobs."""
    async with connect_to_state(state_folder(state)) as client:
        jobs = await client.jobs()
    print_result({"jobs": jobs}, output, lambda: print_records("Jobs", jobs))
    return ExitCode.DONE


@async_command
async def run(
    job: JobArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Run one cycle of a job now."""
    text = output is OutputFormat.TEXT
    async with connect_to_state(state_folder(state), agents=True) as client:
        cycles = await run_jobs(client, [job], state, progress=text)
    print_result({"jobs": cycles}, output, lambda: print_cycles(cycles, state))
    return cycles_exit_code(cycles)


@async_command
async def pause(
    job: JobArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Pause a job. No new cycle starts, and a running one finishes."""
    async with connect_to_state(state_folder(state)) as client:
        await client.pause_job(job)
    message = f'Job "{job}" is paused. `cloudforest job start {job}` resumes it.'
    message = add_state_to_commands(message, state)
    print_result({"job": job, "paused": True}, output, lambda: print_done(message))
    return ExitCode.DONE


@async_command
async def start(
    job: JobArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Resume a job that is paused, disabled or in quarantine."""
    async with connect_to_state(state_folder(state)) as client:
        await client.start_job(job)
    message = f'Job "{job}" is resumed. A running `serve` starts its next cycle now.'
    print_result({"job": job, "paused": False}, output, lambda: print_done(message))
    return ExitCode.DONE


@async_command
async def restart(
    job: JobArgument,
    *,
    reset: Annotated[
        str,
        typer.Option(
            "--reset",
            metavar="SCOPES",
            help="Escrows, QuarantineState, Watermark, ConnectorDataStore or Full, "
            "separated by commas. Default: the first three.",
        ),
    ] = "",
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Start a job over. Its resources and links stay."""
    scopes = reset.split(",")
    with report_as_usage_error():
        parse_reset_scopes(scopes)
    async with connect_to_state(state_folder(state)) as client:
        done = await client.restart_job(job, scopes)
    message = f'Job "{job}" starts over. Reset: {", ".join(done)}.'
    print_result({"job": job, "reset": done}, output, lambda: print_done(message))
    return ExitCode.DONE


@async_command
async def escrow(
    job: JobArgument,
    *,
    retry: Annotated[
        str | None,
        typer.Option(
            "--retry",
            metavar="OBJECT",
            help="Retry this objectGUID, or `all`, in the next cycle.",
        ),
    ] = None,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """List the changes of a job that are in escrow, or retry them."""
    async with connect_to_state(state_folder(state)) as client:
        if retry is not None:
            return await _retry(client, job, retry, output)
        escrowed = [each async for each in client.escrowed_objects(job)]

    def show() -> None:
        rows = [
            {"name": each["object"], "who": each.pop("name"), **each}
            for each in escrowed
        ]
        print_records(f"In escrow of {job}", rows)

    print_result({"job": job, "escrow": escrowed}, output, show)
    return ExitCode.DONE


async def _retry(
    client: ControlPlaneClient, job: str, subject: str, output: OutputFormat
) -> int:
    named = None if subject == ALL_OBJECTS else subject.lower()
    count = await client.retry_escrow(job, named)
    message = f"The next cycle retries {format_count(count, 'change')}."
    print_result({"job": job, "retried": count}, output, lambda: print_done(message))
    return ExitCode.DONE


@async_command
async def staged(
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", help="The job's name. Default: all jobs."),
    ] = None,
    *,
    objects: Annotated[
        bool, typer.Option("--objects", help="Name the objects too.")
    ] = False,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """List the effects that a guard blocked, for a decision."""
    async with connect_to_state(state_folder(state)) as client:
        stages = [_add_state_to_stage(each, state) for each in await client.stages(job)]
        if objects:
            stages = [await _add_objects(client, each) for each in stages]

    def show() -> None:
        print_records("Stages", [_format_stage(each) for each in stages])

    print_result({"stages": stages}, output, show)
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
    objects = [each async for each in client.staged_objects(stage["digest"])]
    return {**stage, "objects": objects}


def _format_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Return a stage as people read it."""
    shown = {"name": stage["stage"]} | stage
    for key in ("stage", "digest"):
        del shown[key]
    if "objects" in stage:
        shown["objects"] = [_format_staged_object(each) for each in stage["objects"]]
    return shown


def _format_staged_object(staged: dict[str, Any]) -> str:
    member = f": {staged['memberDn'] or staged['member']}" if staged["member"] else ""
    return f"{staged['action']} {staged['dn'] or staged['object']}{member}"


@async_command
async def allow(
    stage: StageArgument,
    *,
    until: Annotated[
        str,
        typer.Option("--until", help="A duration (2h), or a time in ISO 8601."),
    ],
    by: Annotated[
        str, typer.Option("--by", help="Who approves. The audit keeps the name.")
    ],
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Allow the effects of a stage. The next cycle writes those still wanted."""
    end = parse_future_time(until, datetime.now(UTC))
    async with connect_to_state(state_folder(state)) as client:
        allowed = await client.allow_stage(stage, end, by)
    print_result(allowed, output, lambda: _print_allowed(allowed, state))
    return ExitCode.DONE


def _print_allowed(allowed: dict[str, Any], state: Path | None) -> None:
    digest, until = allowed["digest"][:12], allowed["until"]
    if allowed["job"] is None:
        print_done(f"Stage {digest} does not exist yet. It is allowed until {until}.")
        return
    effects = format_count(allowed["effects"], "effect")
    print_done(
        f"Stage {digest}: {effects} allowed until {until}. The next cycle reads the "
        "objects again and writes the effects."
    )
    run_now = format_command(f"cloudforest job run {allowed['job']}", state)
    print_suggestion(run_now, "write them now")


@async_command
async def discard(
    stage: StageArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Drop the effects of a stage until the desired values change."""
    async with connect_to_state(state_folder(state)) as client:
        discarded = await client.discard_stage(stage)
    effects = format_count(discarded["effects"], "effect")
    message = f"Stage {discarded['digest'][:12]}: {effects} discarded."
    print_result(discarded, output, lambda: print_done(message))
    return ExitCode.DONE
