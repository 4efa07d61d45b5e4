"""The `cloudforest` command: its subcommands, in the order in which they are needed."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cloudforest import __version__
from cloudforest.base import logs
from cloudforest.cli import boundary
from cloudforest.cli.options import named_state
from cloudforest.control_plane.state_folder import at_state

COMMANDS = {
    "validate": ("validate", "validate"),
    "init": ("init", "init"),
    "plan": ("plan", "plan"),
    "apply": ("apply", "apply"),
    "up": ("up", "up"),
    "serve": ("serve", "serve"),
    "agent run": ("agent_run", "run"),
    "agent token": ("agent", "token"),
    "agent status": ("agent", "status"),
    "job list": ("job", "list_jobs"),
    "job run": ("job", "run"),
    "job pause": ("job", "pause"),
    "job start": ("job", "start"),
    "job restart": ("job", "restart"),
    "job escrow": ("job", "escrow"),
    "job staged": ("job", "staged"),
    "job allow": ("job", "allow"),
    "job discard": ("job", "discard"),
    "explain": ("explain", "explain"),
    "provision": ("provision", "provision"),
    "drift": ("drift", "drift"),
    "status": ("status", "status"),
    "logs": ("logs", "logs"),
    "import-schema": ("graph", "import_schema"),
    "export-schema": ("graph", "export_schema"),
    "example add": ("example", "add"),
    "expression eval": ("expression", "evaluate"),
    "expression explain": ("expression", "explain"),
    "expression functions": ("expression", "functions"),
    "schema": ("schema", "schema"),
}
"""Each command with its module in this package, and its function there."""

_GROUPS = {
    "example": "Examples: tests of mappings and scopes, as documents.",
    "agent": "Agents: enrol, run and look.",
    "job": "Jobs: list, run, steer and decide.",
    "expression": "Expressions: try, understand and look up; offline.",
}


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it by position
    if wanted:
        typer.echo(f"cloudforest {__version__}")
        raise typer.Exit


def _options(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log details.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del version
    logs.configure(json=False, verbose=verbose)


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """Return the app with the command that the arguments name, or with all of them.

    Only what is called is imported: the rest would cost seconds.
    """
    app = typer.Typer(
        name="cloudforest",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Active Directory forests, synced to any SCIM 2.0 cloud, as code.",
    )
    app.callback()(_options)
    groups = {"": app}
    for name, (module, function) in COMMANDS.items():
        group, _, command = name.rpartition(" ")
        if group not in groups:
            groups[group] = typer.Typer(no_args_is_help=True, help=_GROUPS[group])
            app.add_typer(groups[group], name=group)
        if _wanted(name, arguments):
            found = importlib.import_module(f"cloudforest.cli.{module}")
            groups[group].command(command)(getattr(found, function))
    return app


def _wanted(name: str, arguments: Sequence[str]) -> bool:
    words = [each for each in arguments if not each.startswith("-")]
    named = [each for each in COMMANDS if each.split() == words[: len(each.split())]]
    return not named or name in named


def _collect_seldom() -> None:
    """Look for cyclic garbage after 10,000 new objects, not 700, and not in modules.

    Nearly all of what a cycle makes is freed without it; the search took a tenth of the
    processor's time (measured).
    """
    gc.freeze()
    gc.set_threshold(10_000)


def main() -> int:
    arguments = sys.argv[1:]
    app, state = make_app(arguments), named_state(arguments)
    _collect_seldom()
    return boundary.run(
        lambda: app(standalone_mode=False), worded=lambda said: at_state(said, state)
    )
