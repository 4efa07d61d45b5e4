"""`explain`: one object, step by step, and how `provision` prints it too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudforest.base.errors import Misconfigured
from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state, connect_to_tree
from cloudforest.cli.options import (
    TEXT,
    FormatOption,
    JobArgument,
    ObjectArgument,
    OutputFormat,
    StateOption,
    async_command,
)
from cloudforest.cli.validate import require_compiled_tree

if TYPE_CHECKING:
    from cloudforest.model.messages import Lookup


@async_command
async def explain(
    job: JobArgument,
    subject: ObjectArgument,
    *,
    planned: Annotated[
        Path | None,
        typer.Option(
            "--planned",
            metavar="TREE",
            help="Explain with the documents of this folder, before they are applied.",
        ),
    ] = None,
    state: StateOption = None,
    output: FormatOption = TEXT,
) -> int:
    lookup = parse_lookup(subject)
    if planned is None:
        async with connect_to_state(state, agents=True) as client:
            explanation = await client.explain(job, lookup)
    else:
        explanation = await _explain_planned(job, lookup, planned, state)
    return print_explanation(explanation, output)


async def _explain_planned(
    job: str, lookup: Lookup, tree: Path, state: Path | None
) -> dict[str, Any]:
    compiled, desired = require_compiled_tree(tree)
    if desired.find_job(job) is None:
        jobs = ", ".join(each.name for each in desired.jobs) or "none"
        raise Misconfigured(f'The tree "{tree}" has no job "{job}". Its jobs: {jobs}.')
    async with connect_to_tree(compiled, state) as client:
        with terminal.show_progress("previewing the next cycle", enabled=True):
            return await client.explain_planned(job, lookup, desired)


def print_explanation(explanation: dict[str, Any], output: OutputFormat) -> int:
    """Print the steps; return FAILED if the directory does not show the object."""
    from cloudforest.cli.explain_steps import print_steps

    terminal.print_result(explanation, output, lambda: print_steps(explanation))
    found = explanation["steps"][0]["result"] != "unknown"
    return ExitCode.DONE if found else ExitCode.FAILED


def parse_lookup(subject: str) -> Lookup:
    """Read an objectGUID, a DN, ATTRIBUTE=VALUE, or a value."""
    import uuid

    from cloudforest.model.messages import Lookup

    if not subject.strip():
        raise typer.BadParameter("Name an object: a GUID, a UPN or a DN.")
    try:
        return Lookup(by="guid", value=str(uuid.UUID(subject)))
    except ValueError:
        pass
    if "=" not in subject:
        return Lookup(by="attribute", value=subject)
    if "=" in subject.partition(",")[2]:
        return Lookup(by="dn", value=subject)
    attribute, _, value = subject.partition("=")
    return Lookup(by="attribute", attribute=attribute, value=value)
