"""`explain` and `provision`: one object, step by step."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.base.errors import Misconfigured
from cloudforest.front import terminal
from cloudforest.front.boundary import Exit, worst
from cloudforest.front.cli.documents import compiled_tree
from cloudforest.front.cli.jobs.jobs import JobName
from cloudforest.front.cli.options import Format, Output, State, state_folder
from cloudforest.front.cli.understanding.steps import show_steps
from cloudforest.front.hosting.connection import connect, connect_to_tree
from cloudforest.front.progress import bars
from cloudforest.model.messages import Lookup

_CODES = {"staged": Exit.BLOCKED, "escrow": Exit.ESCROW}

Subject = Annotated[
    str,
    typer.Argument(
        metavar="OBJECT",
        help="A DN, an objectGUID, ATTRIBUTE=VALUE, or a value that it is matched by.",
    ),
]


def explain(
    job: JobName,
    subject: Subject,
    *,
    planned: Annotated[
        Path | None,
        typer.Option(
            "--planned",
            metavar="TREE",
            help="Explain by the documents of this folder, which are not applied yet.",
        ),
    ] = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """Explain one object: import, scope, match, map and act. Writes nothing."""
    asked = lookup(subject)
    explained = (
        _explained(job, asked, state)
        if planned is None
        else _planned(job, asked, planned, state)
    )
    return _show(asyncio.run(explained), output)


async def _explained(job: str, asked: Lookup, state: Path | None) -> dict[str, Any]:
    async with connect(state_folder(state), agents=True) as client:
        return await client.explain(job, asked)


async def _planned(
    job: str, asked: Lookup, tree: Path, state: Path | None
) -> dict[str, Any]:
    compiled, desired = compiled_tree(tree)
    if desired.job(job) is None:
        there = ", ".join(each.name for each in desired.jobs) or "none"
        raise Misconfigured(f"The tree {tree} has no job {job}; it has: {there}.")
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        with bars("evaluating the next cycle", shown=True):
            return await client.explain_planned(job, asked, desired)


def provision(
    job: JobName, subject: Subject, *, state: State = None, output: Output = Format.TEXT
) -> int:
    """Provision one object now: the same steps, and the target's answer."""
    return asyncio.run(_provision(job, subject, state, output))


async def _provision(job: str, subject: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state), agents=True) as client:
        provisioned = await client.provision(job, lookup(subject))
    ended = _CODES.get(provisioned["steps"][-1]["result"], Exit.DONE)
    return worst(_show(provisioned, output), ended)


def _show(explanation: dict[str, Any], output: Format) -> int:
    """Print the steps; whom the directory does not show is a failure."""
    if output is Format.JSON:
        terminal.print_json(explanation)
    else:
        show_steps(explanation)
    found = explanation["steps"][0]["result"] != "unknown"
    return Exit.DONE if found else Exit.FAILED


def lookup(subject: str) -> Lookup:
    """Read what a person typed: a GUID, a DN, ATTRIBUTE=VALUE, or just a value."""
    if not subject.strip():
        raise typer.BadParameter("The object has no name; write whom you mean.")
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
