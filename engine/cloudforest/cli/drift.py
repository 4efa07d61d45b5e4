"""`drift`: what the target holds otherwise than it was written, and its repair."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import CloudforestError
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.connection import connect
from cloudforest.cli.cycles import exit_code, show_cycles
from cloudforest.cli.job import JobName
from cloudforest.cli.options import Format, Output, State, state_folder
from cloudforest.control_plane.state_folder import at_state
from cloudforest.plan.wording import in_words


def drift(
    job: JobName,
    *,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Write what is needed, in a cycle at once."),
    ] = False,
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """Compare the target with what was written and what is desired. Exit 2: drift."""
    return asyncio.run(_drift(job, state, output, repair=repair))


async def _drift(job: str, state: Path | None, output: Format, *, repair: bool) -> int:
    async with connect(state_folder(state), agents=repair) as client:
        drifted, ended = await _looked(client, job, repair=repair)
    cycles = [ended["cycle"]] if ended.get("cycle") else []
    for each in cycles:
        if each["error"]:
            terminal.complain(at_state(f"error: {job}: {each['error']}", state))
    if output is Format.JSON:
        terminal.print_json({"job": job, **ended, "drifted": drifted})
    else:
        _show(job, drifted, ended)
        _show_next(job, cycles, state, drifted=bool(drifted))
    return exit_code(cycles) if cycles or not drifted else Exit.CHANGES


async def _looked(
    client: ControlPlaneClient, job: str, *, repair: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    drifted: list[dict[str, Any]] = []
    async for message in client.drift(job, repair=repair):
        if "ended" in message:
            return drifted, message["ended"]
        drifted.append(message["drifted"])
    raise CloudforestError(f"The look at {job} ended without a word; see the log.")


def _show_next(
    job: str, cycles: Sequence[dict[str, Any]], state: Path | None, *, drifted: bool
) -> None:
    if cycles:
        show_cycles(cycles, state)
    elif drifted:
        repair = terminal.command(f"cloudforest drift {job} --repair", state)
        terminal.suggest(repair, "write it as desired, under the guard")


def _show(job: str, drifted: Sequence[dict[str, Any]], ended: dict[str, Any]) -> None:
    checked = terminal.count(ended["checked"], "linked object")
    if not drifted:
        terminal.done(f"Nothing of {job} has drifted; {checked} compared.")
        return
    rows = [
        {
            "name": each["name"] or each["object"],
            "object": each["object"],
            "resource": each["resource"],
            "drift": each["kind"],
            **{it["path"]: _in_words(it) for it in each["attributes"]},
        }
        for each in drifted
    ]
    terminal.show_each(f"Drift of {job} ({checked} compared)", rows)
    if "cycle" in ended:
        repaired = terminal.count(ended["repaired"], "object")
        terminal.done(f"{repaired} repaired.")


def _in_words(it: dict[str, Any]) -> str:
    """Return one line; a pipeline is told the cause alone."""
    three = [
        f"{key} {in_words(it[key])}"
        for key in ("desired", "written", "actual")
        if it[key] is not None
    ]
    return "; ".join([it["cause"], *three])
