"""`init`: a starter tree for a scenario."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.base.files import shipped
from cloudforest.cli import terminal
from cloudforest.compiler.schemas import bundled

SCHEMA = "tree.schema.json"
"""What the first line of each document names, for editors."""
DEFAULT = "new-hybrid-customer"


def scenarios() -> list[str]:
    """Return the scenarios that there is a starter tree for."""
    return sorted(each.name for each in shipped("starters").iterdir() if each.is_dir())


def _scenario(name: str) -> str:
    if name not in scenarios():
        known = ", ".join(scenarios())
        raise typer.BadParameter(f"{name} is no scenario; there are {known}.")
    return name


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="An empty folder, or a new one.")
    ],
    *,
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario",
            callback=_scenario,
            help="How this stands to other synchronisation: new-hybrid-customer, "
            "existing-hybrid-new-forest or existing-hybrid-pilot.",
        ),
    ] = DEFAULT,
) -> int:
    """Write a tree to begin with: commented documents that are valid as they are."""
    _require_empty(folder)
    try:
        shutil.copytree(shipped("starters") / scenario, folder, dirs_exist_ok=True)
        (folder / SCHEMA).write_text(_schema(), encoding="utf-8")
    except OSError as error:
        raise Misconfigured(
            f"The folder {folder} can't be written ({_reason(error)}); name another."
        ) from error
    terminal.done(f"{folder} holds a tree for the scenario {scenario}.")
    terminal.suggest(f"cloudforest validate {folder}", "after every change, offline")
    terminal.suggest(f"cat {folder / 'README.md'}", "what to write where")
    return 0


def _schema() -> str:
    return json.dumps(bundled(), indent=2, ensure_ascii=False) + "\n"


def _reason(error: OSError) -> str:
    """Say why in words; copying a tree collects its errors in a list."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2]).partition("] ")[2].partition(": ")[0]
    return str(error.strerror or error)


def _require_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise Refused(
            f"{folder} is not an empty folder, and nothing in it is written over; "
            "name a new one."
        )
