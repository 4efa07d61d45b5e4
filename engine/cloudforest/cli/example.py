"""`example add`: a real object as a test of its mapping and scope."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Refused
from cloudforest.base.files import write_new
from cloudforest.cli import terminal
from cloudforest.cli.connection import connect
from cloudforest.cli.explain import Subject, lookup
from cloudforest.cli.job import JobName
from cloudforest.cli.options import State, state_folder, tree_folder
from cloudforest.compiler.example_text import (
    DN,
    Names,
    Shown,
    example_text,
    spellings,
    subject_shown,
)
from cloudforest.compiler.wording import hint
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.provisioning.log_entries import REDACTED

Replaced = dict[str, tuple[str, ...]]


def add(
    job: JobName,
    subject: Subject,
    *,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace",
            metavar="NAME=VALUE",
            help="Write this value of an attribute that the mapping or the scope "
            "reads, or of `dn`; again for several, NAME= for none.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the example.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file; TREE/examples/NAME.yaml if left out."),
    ] = None,
    state: State = None,
) -> int:
    """Write an example of a real object: what it shows, and what it becomes."""
    replaced = replacements(replace or ())
    folder = state_folder(state)
    called, text = asyncio.run(_made(folder, job, subject, name, replaced))
    file = out or tree_folder(state) / "examples" / f"{called}.yaml"
    write_new(file, text)
    terminal.done(
        f"{file} holds values of a real object: look at them before they are shared."
    )
    return 0


def replacements(pairs: Sequence[str]) -> Replaced:
    """Read `NAME=VALUE`; a name that comes again has several values."""
    replaced: Replaced = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise typer.BadParameter(f"{pair} is not NAME=VALUE.")
        held = replaced.get(name.lower(), ())
        replaced[name.lower()] = (*held, value) if value else held
    if len(replaced.get(DN, ("",))) != 1:
        raise typer.BadParameter("An object has one dn; write one --replace dn=….")
    return replaced


def require_read(replaced: Replaced, known: Mapping[str, str], job: str) -> None:
    """Refuse a name that nobody reads: a misspelt one would leave the value in."""
    for name in replaced.keys() - known.keys():
        raise Refused(
            f'Neither the mapping nor the scope of the job {job} reads "{name}", so'
            f" there is nothing to replace; {hint(name, known.values())}"
        )


async def _made(
    folder: StateFolder, job: str, subject: str, name: str | None, replaced: Replaced
) -> tuple[str, str]:
    """Return the example's name and text."""
    async with connect(folder, agents=True) as client:
        explanation = await client.explain(job, lookup(subject))
        shown = _shown(explanation, subject)
        return await _written(client, job, shown, name, replaced)


async def _written(
    client: ControlPlaneClient,
    job: str,
    shown: Shown,
    name: str | None,
    replaced: Replaced,
) -> tuple[str, str]:
    registration = (await client.registration()).registration
    registered = registration.job(job) if registration else None
    if registration is None or registered is None:
        raise Refused(f"The job {job} is gone; `cloudforest job list` shows the jobs.")
    program = registration.programs[job]
    kind = shown.imported["type"]
    mapping = next((each for each in program.mappings if each.source == kind), None)
    if mapping is None:
        raise Refused(f"The job {job} maps no {kind}, so there is nothing to test.")
    names = Names(name or f"{job}-{shown.guid[:8]}", registered.scope)
    require_read(replaced, spellings(mapping, program.scope), job)
    made = subject_shown(shown, program.scope, replaced)
    try:
        return names.example, example_text(made, mapping, program.scope, names)
    except (MappingFault, ObjectIgnored) as fault:
        said = str(fault) or ObjectIgnored.outcome
        raise Refused(f"{shown.guid} makes no resource, so no example: {said}") from (
            fault
        )


def _shown(explanation: dict[str, Any], subject: str) -> Shown:
    """Take what the directory shows; raises Refused where that is nothing."""
    steps = {each["step"]: each for each in explanation["steps"]}
    if steps["scope"]["result"] == "out":
        because = steps["scope"]["detail"]["because"]
        raise Refused(
            f"{subject} is out of scope by {because}, and nothing of it leaves the "
            "agent but its objectGUID; write the example by hand, with "
            f"`out: {because}`."
        )
    if not isinstance(steps["import"]["detail"], dict):
        raise Refused(f"{subject}: {steps['import']['detail']}")
    at = system_clock().replace(microsecond=0)
    return Shown(explanation["object"], steps["import"]["detail"], REDACTED, at)
