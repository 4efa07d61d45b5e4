"""`job …`: list and run jobs, pause and restart them, and decide on stages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from cloudforest.base.values import format_count
from cloudforest.cli import options, terminal
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.cycles import cycles_exit_code, print_cycles, run_jobs
from cloudforest.cli.options import TEXT
from cloudforest.control_plane.state_folder import (
    add_state_option,
    add_state_to_commands,
)
from cloudforest.model.jobs import parse_reset_scopes

StageArgument = Annotated[
    str,
    Argument(
        metavar="STAGE",
        help="The digest of the stage, or at least six of its characters.",
    ),
]
ALL_OBJECTS = "all"
_INTERVAL_UNITS = ((3600, "h"), (60, "min"), (1, "s"))


@options.async_command
async def list_jobs(
    *, state: options.State = None, output: options.Format = TEXT
) -> None:
    async with connect_to_state(state) as client:
        jobs = await client.jobs()

    def show() -> None:
        rows = [each | {"interval": format_interval(each["interval"])} for each in jobs]
        terminal.print_records("Jobs", rows)

    terminal.print_result({"jobs": jobs}, output, show)


def format_interval(seconds: int) -> str:
    """Return `every 2 min`, in the largest unit that gives a whole number."""
    size, unit = next(each for each in _INTERVAL_UNITS if seconds % each[0] == 0)
    return f"every {seconds // size} {unit}"


@options.async_command
async def run(
    job: options.Job, *, state: options.State = None, output: options.Format = TEXT
) -> int:
    text = output is TEXT
    async with connect_to_state(state, agents=True) as client:
        cycles = await run_jobs(client, [job], state, progress=text)
    terminal.print_result({"jobs": cycles}, output, lambda: print_cycles(cycles, state))
    return cycles_exit_code(cycles)


@options.async_command
async def pause(
    job: options.Job, *, state: options.State = None, output: options.Format = TEXT
) -> None:
    await _set_paused(job, state, output, paused=True)


@options.async_command
async def start(
    job: options.Job, *, state: options.State = None, output: options.Format = TEXT
) -> None:
    await _set_paused(job, state, output, paused=False)


async def _set_paused(
    job: str, state: Path | None, output: options.OutputFormat, *, paused: bool
) -> None:
    async with connect_to_state(state) as client:
        await (client.pause_job if paused else client.start_job)(job)
    message = (
        f'Job "{job}" is paused. `cloudforest job start {job}` resumes it.'
        if paused
        else f'Job "{job}" is resumed. A running `serve` starts its next cycle now.'
    )
    message = add_state_to_commands(message, state)
    terminal.print_result({"job": job, "paused": paused}, output, message)


@options.async_command
async def restart(
    job: options.Job,
    *,
    reset: Annotated[
        str,
        Option(
            metavar="SCOPES",
            help="Escrows, QuarantineState, Watermark, ConnectorDataStore or Full, "
            "separated by commas. Default: the first three.",
        ),
    ] = "",
    state: options.State = None,
    output: options.Format = TEXT,
) -> None:
    scopes = reset.split(",")
    with options.report_as_usage_error():
        parse_reset_scopes(scopes)
    async with connect_to_state(state) as client:
        done = await client.restart_job(job, scopes)
    message = f'Job "{job}" starts over. Reset: {", ".join(done)}.'
    terminal.print_result({"job": job, "reset": done}, output, message)


@options.async_command
async def escrow(
    job: options.Job,
    *,
    retry: Annotated[
        str | None,
        Option(
            metavar="OBJECT", help="Retry this objectGUID, or `all`, in the next cycle."
        ),
    ] = None,
    state: options.State = None,
    output: options.Format = TEXT,
) -> None:
    async with connect_to_state(state) as client:
        if retry is not None:
            named = None if retry == ALL_OBJECTS else retry.lower()
            count = await client.retry_escrow(job, named)
            message = f"The next cycle retries {format_count(count, 'change')}."
            terminal.print_result({"job": job, "retried": count}, output, message)
            return
        escrowed = [each async for each in client.escrowed_objects(job)]

    def show() -> None:
        rows = [
            {"name": each["object"], "who": each.pop("name"), **each}
            for each in escrowed
        ]
        terminal.print_records(f"In escrow of {job}", rows)

    terminal.print_result({"job": job, "escrow": escrowed}, output, show)


@options.async_command
async def staged(
    job: Annotated[
        str | None, Argument(metavar="[JOB]", help="The job's name. Default: all jobs.")
    ] = None,
    *,
    objects: Annotated[bool, Option("--objects", help="Name the objects too.")] = False,
    state: options.State = None,
    output: options.Format = TEXT,
) -> None:
    async with connect_to_state(state) as client:
        stages = await client.stages(job)
        for each in stages:
            for key in ("allow", "discard"):
                each[key] = add_state_option(each[key], state)
            if objects:
                listed = client.staged_objects(each["digest"])
                each["objects"] = [one async for one in listed]

    def show() -> None:
        terminal.print_records("Stages", [_format_stage(each) for each in stages])

    terminal.print_result({"stages": stages}, output, show)


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


@options.async_command
async def allow(
    stage: StageArgument,
    *,
    until: Annotated[
        datetime,
        Option(
            metavar="TIME",
            parser=options.parse_future_time,
            help="A duration (2h), or a time in ISO 8601.",
        ),
    ],
    by: Annotated[str, Option(help="Who approves. The audit keeps the name.")],
    state: options.State = None,
    output: options.Format = TEXT,
) -> None:
    async with connect_to_state(state) as client:
        allowed = await client.allow_stage(stage, until, by)
    terminal.print_result(allowed, output, lambda: _print_allowed(allowed, state))


def _print_allowed(allowed: dict[str, Any], state: Path | None) -> None:
    digest, until = allowed["digest"][:12], terminal.format_time(allowed["until"])
    if allowed["job"] is None:
        message = f"Stage {digest} does not exist yet. It is allowed until {until}."
        terminal.print_done(message)
        return
    effects = format_count(allowed["effects"], "effect")
    terminal.print_done(
        f"Stage {digest}: {effects} allowed until {until}. The next cycle reads the "
        "objects again and writes the effects."
    )
    terminal.suggest(f"cloudforest job run {allowed['job']}", "write them now", state)


@options.async_command
async def discard(
    stage: StageArgument, *, state: options.State = None, output: options.Format = TEXT
) -> None:
    async with connect_to_state(state) as client:
        discarded = await client.discard_stage(stage)
    effects = format_count(discarded["effects"], "effect")
    message = f"Stage {discarded['digest'][:12]}: {effects} discarded."
    terminal.print_result(discarded, output, message)
