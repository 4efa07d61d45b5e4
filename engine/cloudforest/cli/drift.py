"""`drift`: where the target differs from what was written, and its repair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from cloudforest.base.errors import CloudforestError
from cloudforest.base.values import describe_value, format_count
from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.cycles import cycles_exit_code, print_cycle_error, print_cycles
from cloudforest.cli.options import TEXT

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient


@options.async_command
async def drift(
    job: options.Job,
    *,
    repair: Annotated[
        bool, Option("--repair", help="Repair the drift now, in a cycle.")
    ] = False,
    state: options.State = None,
    output: options.Format = TEXT,
) -> int:
    async with connect_to_state(state, agents=repair) as client:
        drifted, summary = await _receive_drift(client, job, repair=repair)
    cycles = [summary["cycle"]] if summary.get("cycle") else []
    for each in cycles:
        print_cycle_error(each, state)

    def show() -> None:
        _print_drift(job, drifted, summary)
        if cycles:
            print_cycles(cycles, state)
        elif drifted:
            command = f"cloudforest drift {job} --repair"
            terminal.suggest(command, "repair it, under the guard", state)

    terminal.print_result({"job": job, **summary, "drifted": drifted}, output, show)
    return cycles_exit_code(cycles) if cycles or not drifted else ExitCode.CHANGES


async def _receive_drift(
    client: ControlPlaneClient, job: str, *, repair: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the objects that drifted, and the closing summary."""
    drifted: list[dict[str, Any]] = []
    async for message in client.drift(job, repair=repair):
        if "ended" in message:
            return drifted, message["ended"]
        drifted.append(message["drifted"])
    raise CloudforestError(
        f'The drift check of "{job}" ended without a result. See the log of `serve`.'
    )


def _print_drift(
    job: str, drifted: Sequence[dict[str, Any]], summary: dict[str, Any]
) -> None:
    checked = format_count(summary["checked"], "linked object")
    if not drifted:
        terminal.print_done(f'No drift in "{job}": {checked} compared.')
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
    if "cycle" in summary:
        repaired = format_count(summary["repaired"], "object")
        terminal.print_done(f"Repaired {repaired}.")


def _format_attribute_drift(attribute: dict[str, Any]) -> str:
    """Return one line; without the right to read names, only the cause is there."""
    values = [
        f"{key} {describe_value(attribute[key])}"
        for key in ("desired", "written", "actual")
        if attribute[key] is not None
    ]
    return "; ".join([attribute["cause"], *values])
