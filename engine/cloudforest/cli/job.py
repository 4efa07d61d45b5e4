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
from cloudforest.cli.boundary import Exit
from cloudforest.cli.connection import connect
from cloudforest.cli.cycles import exit_code, run_jobs, show_cycles
from cloudforest.cli.options import Format, Output, State, future, state_folder, usage
from cloudforest.control_plane.state_folder import at_state, with_state
from cloudforest.model.jobs import read_scopes

Stage = Annotated[
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
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """List what guards hold back until somebody decides."""
    return asyncio.run(_staged(job, state, output, objects=objects))


async def _staged(
    job: str | None, state: Path | None, output: Format, *, objects: bool
) -> int:
    async with connect(state_folder(state)) as client:
        stages = [_at(each, state) for each in await client.stages(job)]
        if objects:
            stages = [await _with_objects(client, each) for each in stages]
    if output is Format.JSON:
        terminal.print_json({"stages": stages})
    else:
        terminal.show_each("Stages", [_shown(each) for each in stages])
    return Exit.DONE


def _at(stage: dict[str, Any], state: Path | None) -> dict[str, Any]:
    """Return a stage whose commands work on this state."""
    commands = {key: with_state(stage[key], state) for key in ("allow", "discard")}
    return stage | commands


async def _with_objects(
    client: ControlPlaneClient, stage: dict[str, Any]
) -> dict[str, Any]:
    found = [each async for each in client.staged_objects(stage["digest"])]
    return {**stage, "objects": found}


def _object(each: dict[str, Any]) -> str:
    member = f": {each['memberDn'] or each['member']}" if each["member"] else ""
    return f"{each['action']} {each['dn'] or each['object']}{member}"


def _shown(stage: dict[str, Any]) -> dict[str, Any]:
    """Return a stage as people read it."""
    shown = {"name": stage["stage"]} | stage
    for key in ("stage", "digest"):
        del shown[key]
    if "objects" in stage:
        shown["objects"] = [_object(each) for each in stage["objects"]]
    return shown


def allow(
    stage: Stage,
    *,
    until: Annotated[
        str, typer.Option("--until", help="For how long (2h), or until when.")
    ],
    by: Annotated[str, typer.Option("--by", help="Who says so; kept in the audit.")],
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """Let the effects of a stage be written, as far as they are still wanted."""
    end = future(until, datetime.now(UTC))
    return asyncio.run(_allow(stage, end, by, state, output))


async def _allow(
    stage: str, until: datetime, by: str, state: Path | None, output: Format
) -> int:
    async with connect(state_folder(state)) as client:
        allowed = await client.allow(stage, until, by)
    if output is Format.JSON:
        terminal.print_json(allowed)
        return Exit.DONE
    short = allowed["digest"][:12]
    if allowed["job"] is None:
        terminal.done(
            f"No stage {short} is there yet; effects of this digest are allowed until "
            f"{allowed['until']}."
        )
        return Exit.DONE
    terminal.done(
        f"Stage {short}: {allowed['effects']} effects are allowed until "
        f"{allowed['until']}; the next cycle reads them again and writes them."
    )
    run = terminal.command(f"cloudforest job run {allowed['job']}", state)
    terminal.suggest(run, "writes them now")
    return Exit.DONE


def discard(stage: Stage, *, state: State = None, output: Output = Format.TEXT) -> int:
    """Drop the effects of a stage; they come back when what is wanted changes."""
    return asyncio.run(_discard(stage, state, output))


async def _discard(stage: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state)) as client:
        discarded = await client.discard(stage)
    if output is Format.JSON:
        terminal.print_json(discarded)
    else:
        terminal.done(
            f"Stage {discarded['digest'][:12]}: {discarded['effects']} effects are "
            "discarded."
        )
    return Exit.DONE


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
