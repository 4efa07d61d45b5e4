"""`job staged`, `job allow` and `job discard`: what a guard holds back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.moments import future
from cloudforest.front.cli.options import (
    Format,
    Output,
    State,
    state_folder,
)
from cloudforest.front.hosting.connection import connect
from cloudforest.front.state import with_state

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
