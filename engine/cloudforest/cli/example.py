"""`example add`: a real object as a test of its mapping and scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import BadParameter, Option

from cloudforest.base.errors import Refused
from cloudforest.base.files import write_new_file
from cloudforest.cli import options, terminal
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.explain import parse_lookup

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient
    from cloudforest.compiler.example_text import ShownObject

Replacements = dict[str, tuple[str, ...]]


@options.async_command
async def add(
    job: options.Job,
    subject: options.Object,
    *,
    replace: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=VALUE",
            help="Replace the value of `dn` or of an attribute that the mapping or "
            "the scope reads. NAME= removes the values.",
        ),
    ] = None,
    name: Annotated[str | None, Option(help="The name of the example.")] = None,
    out: Annotated[
        Path | None, Option(help="The file. Default: TREE/examples/NAME.yaml.")
    ] = None,
    state: options.State = None,
) -> None:
    replacements = parse_replacements(replace or ())
    async with connect_to_state(state, agents=True) as client:
        explanation = await client.explain(job, parse_lookup(subject))
        shown = _read_shown_object(explanation, subject)
        example, text = await _write_example_text(
            client, job, shown, name, replacements
        )
    file = out or options.tree_folder(state) / "examples" / f"{example}.yaml"
    write_new_file(file, text)
    terminal.print_done(
        f'Wrote "{file}". It has values of a real object: check them before you share '
        "it."
    )


def parse_replacements(pairs: Sequence[str]) -> Replacements:
    """Read `NAME=VALUE`; `NAME=` has no value."""
    from cloudforest.compiler.example_text import DN_KEY

    replacements = {
        name: tuple(filter(None, values))
        for name, values in options.parse_pairs(pairs).items()
    }
    if len(replacements.get(DN_KEY, ("",))) != 1:
        raise BadParameter("An object has one dn. Pass one `--replace dn=DN`.")
    return replacements


def require_read_attributes(
    replacements: Replacements, spellings: Mapping[str, str], job: str
) -> None:
    """Refuse a name that nothing reads: a misspelt one would leave the value in."""
    from cloudforest.base.wording import suggest_names

    for name in replacements.keys() - spellings.keys():
        raise Refused(
            f'Neither the mapping nor the scope of the job "{job}" reads "{name}". '
            f"{suggest_names(name, spellings.values())}"
        )


async def _write_example_text(
    client: ControlPlaneClient,
    job: str,
    shown_object: ShownObject,
    name: str | None,
    replacements: Replacements,
) -> tuple[str, str]:
    """Return the name of the example and its YAML."""
    from cloudforest.compiler.example_text import (
        find_spellings,
        make_example_object,
        write_example,
    )
    from cloudforest.program.faults import MappingFault, ObjectIgnored

    registration = (await client.load_registration()).registration
    registered = registration.find_job(job) if registration else None
    if registration is None or registered is None:
        raise Refused(
            f'The job "{job}" no longer exists. `cloudforest job list` lists the jobs.'
        )
    program = registration.programs[job]
    kind = shown_object.imported["type"]
    mapping = next((each for each in program.mappings if each.source == kind), None)
    if mapping is None:
        raise Refused(f'The job "{job}" has no mapping for a {kind}.')
    example = name or f"{job}-{shown_object.object_guid[:8]}"
    require_read_attributes(replacements, find_spellings(mapping, program.scope), job)
    found = make_example_object(shown_object, program.scope, replacements)
    try:
        return example, write_example(
            found, mapping, program.scope, name=example, scope_name=registered.scope
        )
    except (MappingFault, ObjectIgnored) as fault:
        reason = str(fault) or ObjectIgnored.outcome
        raise Refused(
            f"The mapping makes no resource for {shown_object.object_guid}: {reason}"
        ) from fault


def _read_shown_object(explanation: dict[str, Any], subject: str) -> ShownObject:
    """Return what the directory shows; raises Refused if it shows nothing."""
    from cloudforest.base.clock import system_clock
    from cloudforest.compiler.example_text import ShownObject
    from cloudforest.provisioning.log_entries import REDACTED

    steps = {each["step"]: each for each in explanation["steps"]}
    if steps["scope"]["result"] == "out":
        because = steps["scope"]["detail"]["because"]
        raise Refused(
            f'"{subject}" is out of scope ({because}), so the agent sends only its '
            f"objectGUID. Write the example by hand, with `out: {because}`."
        )
    if not isinstance(steps["import"]["detail"], dict):
        raise Refused(f"{subject}: {steps['import']['detail']}")
    at = system_clock().replace(microsecond=0)
    return ShownObject(explanation["object"], steps["import"]["detail"], REDACTED, at)
