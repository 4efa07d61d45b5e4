"""The `cloudforest` command: its subcommands, with one line of help for each.

Only the module of the called command is imported. All of them would take a second.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import typer
import typer.main

from cloudforest import __version__
from cloudforest.cli import boundary
from cloudforest.cli.help import Command, Commands, Group, settings


class Declared(NamedTuple):
    """A command's module in this package, its function, and its first line of help."""

    module: str
    function: str
    summary: str


COMMANDS = {
    "validate": Declared(
        "validate",
        "validate",
        "Check the documents and show every mistake with its place.",
    ),
    "init": Declared(
        "init",
        "init",
        "Write a starter tree: commented documents that are valid from the start.",
    ),
    "plan": Declared(
        "plan",
        "plan",
        "Show what would change and who would be affected. Writes nothing.",
    ),
    "apply": Declared(
        "apply",
        "apply",
        "Register the documents, or exactly what a saved plan showed.",
    ),
    "up": Declared(
        "up", "up", "Validate, plan, apply, serve, and run the tree's local agents."
    ),
    "serve": Declared(
        "serve", "serve", "Run the control plane and the provisioning service."
    ),
    "agent run": Declared(
        "agent_run",
        "run",
        "Run an agent beside its directory. It only dials out and opens no port.",
    ),
    "agent token": Declared(
        "agent",
        "token",
        "Print a one-time token for an agent to enrol with, valid for 1 hour.",
    ),
    "agent status": Declared("agent", "status", "Show the registered agents."),
    "job list": Declared("job", "list_jobs", "List the registered jobs."),
    "job run": Declared("job", "run", "Run one cycle of a job now."),
    "job pause": Declared(
        "job",
        "pause",
        "Pause a job. No new cycle starts, and a running one finishes.",
    ),
    "job start": Declared(
        "job", "start", "Resume a job that is paused, disabled or in quarantine."
    ),
    "job restart": Declared(
        "job", "restart", "Start a job over. Its resources and links stay."
    ),
    "job escrow": Declared(
        "job", "escrow", "List the changes of a job that are in escrow, or retry them."
    ),
    "job staged": Declared(
        "job",
        "staged",
        "List the effects that a guard blocked, for a decision.",
    ),
    "job allow": Declared(
        "job",
        "allow",
        "Allow the effects of a stage. The next cycle writes those still wanted.",
    ),
    "job discard": Declared(
        "job",
        "discard",
        "Drop the effects of a stage until the desired values change.",
    ),
    "explain": Declared(
        "explain",
        "explain",
        "Explain one object: import, scope, match, map and act. Writes nothing.",
    ),
    "provision": Declared(
        "provision",
        "provision",
        "Provision one object now and show each step and the target's answer.",
    ),
    "drift": Declared(
        "drift",
        "drift",
        "Compare the target with written and desired values. Exit code 2: drift.",
    ),
    "status": Declared("status", "status", "Show the agents and the jobs."),
    "logs": Declared(
        "logs", "logs", "Print the provisioning log, one line per object and action."
    ),
    "import-schema": Declared(
        "graph",
        "import_schema",
        "Convert a Graph synchronizationSchema to Scope, Mapping and Job documents.",
    ),
    "export-schema": Declared(
        "graph",
        "export_schema",
        "Write the scope and mappings of a job as a Graph synchronizationSchema.",
    ),
    "example add": Declared(
        "example",
        "add",
        "Write an example from a real object: its attributes and its resource.",
    ),
    "expression eval": Declared(
        "expression",
        "evaluate",
        "Evaluate one expression for an object, or many expressions from a file.",
    ),
    "expression explain": Declared(
        "expression",
        "explain",
        "Show an expression as a tree, with the value of each step.",
    ),
    "expression functions": Declared(
        "expression", "functions", "List the functions and operators of expressions."
    ),
    "schema": Declared(
        "schema",
        "schema",
        "Print the JSON Schema (2020-12) of one kind, or of all kinds.",
    ),
}
"""A test compares each summary with the docstring, which `COMMAND --help` prints."""

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
    verbose: Annotated[bool, typer.Option("--verbose", help="Log details.")] = False,
    version: Annotated[
        bool,
        typer.Option(
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
        from cloudforest.base import logs  # noqa: PLC0415 - takes a while to load

        verbose = ctx.find_root().params["verbose"]
        logs.configure_logging(json=False, verbose=verbose)
        return super().invoke(ctx)


class Root(Group):
    """The top level. Typer makes it, with the options of `_configure`."""

    def __init__(self, *, commands: object, **attributes: Any) -> None:
        del commands  # Typer has none: it would need the functions
        attributes.pop("suggest_commands")
        loaders = {
            name: functools.partial(_load, name)
            for names in SECTIONS.values()
            for name in names
        }
        super().__init__(
            commands=Commands(loaders),
            sections={
                title: {name: _summary(name) for name in names}
                for title, names in SECTIONS.items()
            },
            elsewhere=_by_last_word(),
            **attributes,
        )


def _summary(name: str) -> str:
    return _GROUP_HELP[name] if name in _GROUP_HELP else COMMANDS[name].summary


def _by_last_word() -> Mapping[str, Sequence[str]]:
    """Return the second-level commands by their last word: `pause`: `job pause`."""
    commands: dict[str, list[str]] = {}
    for name in COMMANDS:
        group, _, word = name.rpartition(" ")
        if group:
            commands.setdefault(word, []).append(name)
    return commands


@functools.cache
def _load(name: str) -> Any:
    """Import a command, or make a group that imports its commands when called."""
    if name not in _GROUP_HELP:
        return _command(name)
    inner = {
        full.removeprefix(f"{name} "): full
        for full in COMMANDS
        if full.startswith(f"{name} ")
    }
    return Group(
        name=name,
        help=_GROUP_HELP[name],
        rich_markup_mode=None,
        commands=Commands(
            {word: functools.partial(_load, full) for word, full in inner.items()}
        ),
        sections={
            "Commands": {word: COMMANDS[full].summary for word, full in inner.items()}
        },
    )


def _command(name: str) -> Any:
    declared = COMMANDS[name]
    module = importlib.import_module(f"cloudforest.cli.{declared.module}")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name.rpartition(" ")[2], cls=LoggedCommand)(
        getattr(module, declared.function)
    )
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
    """Add the `--state` of this call to the commands that an error message names."""
    from cloudforest.cli.options import find_state_option  # noqa: PLC0415 - errors only
    from cloudforest.control_plane.state_folder import add_state_to_commands  # noqa: PLC0415

    return add_state_to_commands(message, find_state_option(sys.argv[1:]))
