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
from cloudforest.base.files import write_new_file
from cloudforest.cli import terminal
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.explain import ObjectArgument, parse_lookup
from cloudforest.cli.job import JobArgument
from cloudforest.cli.options import StateOption, state_folder, tree_folder
from cloudforest.compiler.example_text import (
    DN_KEY,
    ExampleNames,
    ShownObject,
    find_spellings,
    make_example_object,
    write_example,
)
from cloudforest.compiler.wording import suggest_names
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.provisioning.log_entries import REDACTED

Replacements = dict[str, tuple[str, ...]]


def add(
    job: JobArgument,
    subject: ObjectArgument,
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
    state: StateOption = None,
) -> int:
    """Write an example of a real object: what it shows, and what it becomes."""
    replaced = parse_replacements(replace or ())
    folder = state_folder(state)
    called, text = asyncio.run(
        _read_and_write_example(folder, job, subject, name, replaced)
    )
    file = out or tree_folder(state) / "examples" / f"{called}.yaml"
    write_new_file(file, text)
    terminal.print_done(
        f"{file} holds values of a real object: look at them before they are shared."
    )
    return 0


def parse_replacements(pairs: Sequence[str]) -> Replacements:
    """Read `NAME=VALUE`; a name that comes again has several values."""
    replaced: Replacements = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise typer.BadParameter(f"{pair} is not NAME=VALUE.")
        held = replaced.get(name.lower(), ())
        replaced[name.lower()] = (*held, value) if value else held
    if len(replaced.get(DN_KEY, ("",))) != 1:
        raise typer.BadParameter("An object has one dn; write one --replace dn=….")
    return replaced


def require_read_attributes(
    replacements: Replacements, spellings: Mapping[str, str], job: str
) -> None:
    """Refuse a name that nobody reads: a misspelt one would leave the value in."""
    for name in replacements.keys() - spellings.keys():
        raise Refused(
            f'Neither the mapping nor the scope of the job {job} reads "{name}", so'
            f" there is nothing to replace; {suggest_names(name, spellings.values())}"
        )


async def _read_and_write_example(
    folder: StateFolder,
    job: str,
    subject: str,
    name: str | None,
    replacements: Replacements,
) -> tuple[str, str]:
    """Return the example's name and text."""
    async with connect_to_state(folder, agents=True) as client:
        explanation = await client.explain(job, parse_lookup(subject))
        shown = _read_shown_object(explanation, subject)
        return await _write_example_text(client, job, shown, name, replacements)


async def _write_example_text(
    client: ControlPlaneClient,
    job: str,
    shown_object: ShownObject,
    name: str | None,
    replacements: Replacements,
) -> tuple[str, str]:
    registration = (await client.load_registration()).registration
    registered = registration.find_job(job) if registration else None
    if registration is None or registered is None:
        raise Refused(f"The job {job} is gone; `cloudforest job list` shows the jobs.")
    program = registration.programs[job]
    kind = shown_object.imported["type"]
    mapping = next((each for each in program.mappings if each.source == kind), None)
    if mapping is None:
        raise Refused(f"The job {job} maps no {kind}, so there is nothing to test.")
    names = ExampleNames(
        name or f"{job}-{shown_object.object_guid[:8]}", registered.scope
    )
    require_read_attributes(replacements, find_spellings(mapping, program.scope), job)
    made = make_example_object(shown_object, program.scope, replacements)
    try:
        return names.example, write_example(made, mapping, program.scope, names)
    except (MappingFault, ObjectIgnored) as fault:
        said = str(fault) or ObjectIgnored.outcome
        raise Refused(
            f"{shown_object.object_guid} makes no resource, so no example: {said}"
        ) from (fault)


def _read_shown_object(explanation: dict[str, Any], subject: str) -> ShownObject:
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
    return ShownObject(explanation["object"], steps["import"]["detail"], REDACTED, at)
