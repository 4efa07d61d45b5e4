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
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.cycles import cycles_exit_code, print_cycles
from cloudforest.cli.job import JobArgument
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    state_folder,
)
from cloudforest.control_plane.state_folder import add_state_to_commands
from cloudforest.plan.wording import describe_value


def drift(
    job: JobArgument,
    *,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Write what is needed, in a cycle at once."),
    ] = False,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Compare the target with what was written and what is desired. Exit 2: drift."""
    return asyncio.run(_drift(job, state, output, repair=repair))


async def _drift(
    job: str, state: Path | None, output: OutputFormat, *, repair: bool
) -> int:
    async with connect_to_state(state_folder(state), agents=repair) as client:
        drifted, ended = await _receive_drift(client, job, repair=repair)
    cycles = [ended["cycle"]] if ended.get("cycle") else []
    for each in cycles:
        if each["error"]:
            terminal.print_to_stderr(
                add_state_to_commands(f"error: {job}: {each['error']}", state)
            )
    if output is OutputFormat.JSON:
        terminal.print_json({"job": job, **ended, "drifted": drifted})
    else:
        _print_drift(job, drifted, ended)
        _print_cycle_or_suggestion(job, cycles, state, drifted=bool(drifted))
    return cycles_exit_code(cycles) if cycles or not drifted else ExitCode.CHANGES


async def _receive_drift(
    client: ControlPlaneClient, job: str, *, repair: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    drifted: list[dict[str, Any]] = []
    async for message in client.drift(job, repair=repair):
        if "ended" in message:
            return drifted, message["ended"]
        drifted.append(message["drifted"])
    raise CloudforestError(f"The look at {job} ended without a word; see the log.")


def _print_cycle_or_suggestion(
    job: str, cycles: Sequence[dict[str, Any]], state: Path | None, *, drifted: bool
) -> None:
    if cycles:
        print_cycles(cycles, state)
    elif drifted:
        repair = terminal.format_command(f"cloudforest drift {job} --repair", state)
        terminal.print_suggestion(repair, "write it as desired, under the guard")


def _print_drift(
    job: str, drifted: Sequence[dict[str, Any]], ended: dict[str, Any]
) -> None:
    checked = terminal.format_count(ended["checked"], "linked object")
    if not drifted:
        terminal.print_done(f"Nothing of {job} has drifted; {checked} compared.")
        return
    rows = [
        {
            "name": each["name"] or each["object"],
            "object": each["object"],
            "resource": each["resource"],
            "drift": each["kind"],
            **{it["path"]: _format_attribute_drift(it) for it in each["attributes"]},
        }
        for each in drifted
    ]
    terminal.print_records(f"Drift of {job} ({checked} compared)", rows)
    if "cycle" in ended:
        repaired = terminal.format_count(ended["repaired"], "object")
        terminal.print_done(f"{repaired} repaired.")


def _format_attribute_drift(attribute: dict[str, Any]) -> str:
    """Return one line; a pipeline is told the cause alone."""
    three = [
        f"{key} {describe_value(attribute[key])}"
        for key in ("desired", "written", "actual")
        if attribute[key] is not None
    ]
    return "; ".join([attribute["cause"], *three])
