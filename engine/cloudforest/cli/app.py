"""The `cloudforest` command: its subcommands, with one line of help for each.

Only the module of the called command is imported. All of them would take a second.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import sys
from typing import Annotated, Any

import typer
import typer.main
from typer import Option

from cloudforest import __version__
from cloudforest.cli import boundary
from cloudforest.cli.help import Command, Group, settings

COMMANDS = {
    "validate": "Check the documents and show every mistake with its place.",
    "init": "Write a starter tree: commented documents that are valid from the start.",
    "plan": "Show what would change and who would be affected. Writes nothing.",
    "apply": "Register the documents, or exactly what a saved plan showed.",
    "up": "Validate, plan, apply, serve, and run the tree's local agents.",
    "serve": "Run the control plane and the provisioning service.",
    "agent run": "Run an agent beside its directory. It only dials out and opens no "
    "port.",
    "agent token": "Print a one-time token for an agent to enrol with, valid for 1 "
    "hour.",
    "agent status": "Show the registered agents.",
    "job list": "List the registered jobs.",
    "job run": "Run one cycle of a job now.",
    "job pause": "Pause a job. No new cycle starts, and a running one finishes.",
    "job start": "Resume a job that is paused, disabled or in quarantine.",
    "job restart": "Start a job over. Its resources and links stay.",
    "job escrow": "List the changes of a job that are in escrow, or retry them.",
    "job staged": "List the effects that a guard blocked, for a decision.",
    "job allow": "Allow the effects of a stage. The next cycle writes those still "
    "wanted.",
    "job discard": "Drop the effects of a stage until the desired values change.",
    "explain": "Explain one object: import, scope, match, map and act. Writes nothing.",
    "provision": "Provision one object now and show each step and the target's answer.",
    "drift": "Compare the target with written and desired values. Exit code 2: drift.",
    "status": "Show the agents and the jobs.",
    "logs": "Print the provisioning log, one line per object and action.",
    "import-schema": "Convert a Graph synchronizationSchema to Scope, Mapping and Job "
    "documents.",
    "export-schema": "Write the scope and mappings of a job as a Graph "
    "synchronizationSchema.",
    "example add": "Write an example from a real object: its attributes and its "
    "resource.",
    "expression eval": "Evaluate one expression for an object, or many expressions "
    "from a file.",
    "expression explain": "Show an expression as a tree, with the value of each step.",
    "expression functions": "List the functions and operators of expressions.",
    "schema": "Print the JSON Schema (2020-12) of one kind, or of all kinds.",
}
"""The commands, each with its first line of help."""
_FUNCTIONS = {
    "agent run": "agent_run.run",
    "job list": "job.list_jobs",
    "import-schema": "graph.import_schema",
    "export-schema": "graph.export_schema",
    "expression eval": "expression.evaluate",
}
"""Modules and functions that are not called like their command."""

_GROUP_HELP = {
    "agent": "Agents: run them, enrol them, show them.",
    "job": "Jobs: list, run, pause and restart them; decide on stages.",
    "example": "Examples: tests of mappings and scopes, written as documents.",
    "expression": "Expressions: evaluate, explain and look up functions. Offline.",
}
SECTIONS = {
    "Start": ("init", "validate", "up"),
    "Review and apply": ("plan", "apply"),
    "Run": ("serve", "agent"),
    "Operate": ("status", "job", "drift", "logs"),
    "Understand": ("explain", "provision", "example"),
    "Languages and formats": ("expression", "schema", "import-schema", "export-schema"),
}
"""The top-level commands, as `--help` lists them."""


def _print_version(requested: bool) -> None:  # noqa: FBT001 - Typer calls it by position
    if requested:
        typer.echo(f"cloudforest {__version__}")
        raise typer.Exit


def _configure(
    *,
    verbose: Annotated[bool, Option("--verbose", help="Log details.")] = False,
    version: Annotated[
        bool,
        Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Declare the options; `LoggedCommand` reads them."""
    del verbose, version


class LoggedCommand(Command):
    """A command that configures logging when it runs, not for help or wrong usage."""

    def invoke(self, ctx: Any) -> Any:
        from cloudforest.base import logs

        verbose = ctx.find_root().params["verbose"]
        logs.configure_logging(json=False, verbose=verbose)
        return super().invoke(ctx)


class Root(Group):
    """The top level. Typer makes it, with the options of `_configure`."""

    def __init__(self, *, commands: object, **attributes: Any) -> None:
        del commands  # Typer has none: it would need the functions
        attributes.pop("suggest_commands")
        super().__init__(
            load=_load,
            sections={
                title: {name: _GROUP_HELP.get(name) or COMMANDS[name] for name in names}
                for title, names in SECTIONS.items()
            },
            elsewhere=[name for name in COMMANDS if " " in name],
            **attributes,
        )


@functools.cache
def _load(name: str) -> Any:
    """Import a command, or make a group that imports its commands when called."""
    if name not in _GROUP_HELP:
        return _import_command(name)
    inner = {
        full.removeprefix(f"{name} "): summary
        for full, summary in COMMANDS.items()
        if full.startswith(f"{name} ")
    }
    return Group(
        name=name,
        help=_GROUP_HELP[name],
        rich_markup_mode=None,
        load=lambda word: _load(f"{name} {word}"),
        sections={"Commands": inner},
    )


def _import_command(name: str) -> Any:
    """Import a command; its docstring, if any, follows its first line of help."""
    words = name.split()
    place = _FUNCTIONS.get(name, f"{words[0]}.{words[-1]}")
    module, _, function = place.rpartition(".")
    command = getattr(importlib.import_module(f"cloudforest.cli.{module}"), function)
    more = inspect.getdoc(command)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(
        words[-1],
        cls=LoggedCommand,
        help=f"{COMMANDS[name]}\n\n{more}" if more else COMMANDS[name],
    )(command)
    return typer.main.get_command(alone)


def make_app() -> typer.Typer:
    """Return the app; it imports each command when that is called."""
    app = typer.Typer(
        name="cloudforest",
        cls=Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=settings(),
        help="Active Directory forests, synced to any SCIM 2.0 cloud, as code.",
        epilog="`cloudforest COMMAND --help` shows the options of a command.",
    )
    app.callback()(_configure)
    return app


def _tune_garbage_collection() -> None:
    """Look for cyclic garbage after 10,000 new objects, not 700, and not in modules.

    Reference counts free nearly all objects of a cycle. The search took a tenth of the
    processor's time (measured).
    """
    gc.freeze()
    gc.set_threshold(10_000)


def main() -> int:
    app = make_app()
    _tune_garbage_collection()
    return boundary.run_command(lambda: app(standalone_mode=False), reword=_add_state)


def _add_state(message: str) -> str:
    """Add the `--state` of this call to the commands that an error message names.

    An agent's state is not the one of its control plane.
    """
    from cloudforest.cli.options import find_state_option
    from cloudforest.control_plane.state_folder import add_state_to_commands

    if sys.argv[1:3] == ["agent", "run"]:
        return message
    return add_state_to_commands(message, find_state_option(sys.argv[1:]))
