"""`init`: a starter tree, made from the runnable example of its scenario."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.base.files import find_shipped
from cloudforest.cli import terminal

SCHEMA_FILE = "tree.schema.json"
"""The file that the first line of each document names, for editors."""
_SAMPLE_SOURCE = re.compile(r"^( +)(ldif: .*\n)((?:\1# .*\n)+)", re.MULTILINE)
"""A domain's sample export, and the commented lines of its real source."""


def list_scenarios() -> list[str]:
    tenants = find_shipped("topologies").glob("*/tenant.yaml")
    return sorted(each.parent.name for each in tenants)


def _parse_scenario(name: str) -> str:
    known = list_scenarios()
    if name not in known:
        listed = ", ".join(known)
        raise BadParameter(f'Unknown scenario "{name}". Choose one of: {listed}.')
    return name


def init(
    folder: Annotated[
        Path, Argument(metavar="DIR", help="A new folder, or an empty one.")
    ],
    *,
    scenario: Annotated[
        str,
        Option(
            "--scenario",
            callback=_parse_scenario,
            help="What already syncs to the tenant: new-hybrid-customer, "
            "existing-hybrid-new-forest or existing-hybrid-pilot.",
        ),
    ] = "new-hybrid-customer",
) -> None:
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if not is_empty and (folder.exists() or folder.is_symlink()):
        raise Refused(
            f'"{folder}" is not an empty folder. Name a new one; `init` overwrites '
            "nothing."
        )
    try:
        _write(folder, scenario)
    except OSError as error:
        raise Misconfigured(
            f'Cannot write the folder "{folder}": {_describe_copy_error(error)}. '
            "Name another folder."
        ) from error
    terminal.print_done(f'Wrote "{folder}" for the scenario "{scenario}".')
    validate = f"cloudforest validate {folder}"
    terminal.print_suggestion(validate, "after each change, offline")
    terminal.print_suggestion(f"cat {folder / 'README.md'}", "what to write where")


def _write(folder: Path, scenario: str) -> None:
    from cloudforest.compiler.schemas import bundle_schemas

    topologies = find_shipped("topologies")
    shutil.copytree(topologies / "starter", folder, dirs_exist_ok=True)
    for document in (topologies / scenario).glob("*.yaml"):
        text = to_starter(document.read_text(encoding="utf-8"))
        (folder / document.name).write_text(text, encoding="utf-8")
    schema = json.dumps(bundle_schemas(), indent=2, ensure_ascii=False)
    (folder / SCHEMA_FILE).write_text(f"{schema}\n", encoding="utf-8")


def to_starter(example: str) -> str:
    """Return an example's documents as a starter tree has them.

    Domain controllers replace the sample export. A job with `enabled: true` in the
    example is disabled until its owner enables it.
    """
    text = example.replace(f"../../schemas/{SCHEMA_FILE}", SCHEMA_FILE)
    text = text.replace("\nenabled: true\n", "\nenabled: false\n")
    return _SAMPLE_SOURCE.sub(_real_source, text)


def _real_source(found: re.Match[str]) -> str:
    indent, sample, real = found.groups()
    uncommented = re.sub(rf"^{indent}# ", indent, real, flags=re.MULTILINE)
    return f"{uncommented}{indent}# {sample}"


def _describe_copy_error(error: OSError) -> str:
    """Return the reason; `copytree` collects its errors in a list."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2]).partition("] ")[2].partition(": ")[0]
    return str(error.strerror or error)
