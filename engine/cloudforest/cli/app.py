"""The `cloudforest` command: its subcommands, and one line of help for each.

Only the command that is called is imported: all of them would cost a second.
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
    """A command's module in this package, its function there, and its first line."""

    module: str
    function: str
    summary: str


COMMANDS = {
    "validate": Declared(
        "validate",
        "validate",
        "Check the documents; every mistake is told, with its place.",
    ),
    "init": Declared(
        "init",
        "init",
        "Write a tree to begin with: commented documents that are valid as they are.",
    ),
    "plan": Declared(
        "plan",
        "plan",
        "Show what would change, and whom it would touch; writes nothing.",
    ),
    "apply": Declared(
        "apply",
        "apply",
        "Register what the documents say, or exactly what a saved plan showed.",
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
        "Run an agent beside its directory; it dials out and listens on no port.",
    ),
    "agent token": Declared(
        "agent",
        "token",
        "Print a one-time token, valid for an hour, with which an agent enrols.",
    ),
    "agent status": Declared("agent", "status", "Show the agents that are registered."),
    "job list": Declared("job", "list_jobs", "List the jobs that are registered."),
    "job run": Declared("job", "run", "Run one cycle of a job now."),
    "job pause": Declared(
        "job",
        "pause",
        "Start no more cycles of a job; the one that runs goes on to its end.",
    ),
    "job start": Declared(
        "job", "start", "Go on with a job that is paused, disabled or in quarantine."
    ),
    "job restart": Declared(
        "job", "restart", "Let a job begin anew; what it made and linked stays."
    ),
    "job escrow": Declared(
        "job", "escrow", "List what is held back of a job, or let it be tried again."
    ),
    "job staged": Declared(
        "job", "staged", "List what guards hold back until somebody decides."
    ),
    "job allow": Declared(
        "job",
        "allow",
        "Let the effects of a stage be written, as far as they are still wanted.",
    ),
    "job discard": Declared(
        "job",
        "discard",
        "Drop the effects of a stage; they come back when what is wanted changes.",
    ),
    "explain": Declared(
        "explain",
        "explain",
        "Explain one object: import, scope, match, map and act. Writes nothing.",
    ),
    "provision": Declared(
        "provision",
        "provision",
        "Provision one object now: the same steps, and the target's answer.",
    ),
    "drift": Declared(
        "drift",
        "drift",
        "Compare the target with what was written and what is desired. Exit 2: drift.",
    ),
    "status": Declared("status", "status", "Show the agents and the jobs."),
    "logs": Declared(
        "logs", "logs", "Print the provisioning log, a line for each object and action."
    ),
    "import-schema": Declared(
        "graph",
        "import_schema",
        "Turn a Graph synchronizationSchema into Scope, Mapping and Job documents.",
    ),
    "export-schema": Declared(
        "graph",
        "export_schema",
        "Write a job's scope and mappings as a Graph synchronizationSchema.",
    ),
    "example add": Declared(
        "example",
        "add",
        "Write an example of a real object: what it shows, and what it becomes.",
    ),
    "expression eval": Declared(
        "expression",
        "evaluate",
        "Evaluate an expression for an object, or many from a file.",
    ),
    "expression explain": Declared(
        "expression",
        "explain",
        "Show an expression as a tree, with the value of each step for an object.",
    ),
    "expression functions": Declared(
        "expression", "functions", "List the functions and operators of expressions."
    ),
    "schema": Declared(
        "schema",
        "schema",
        "Print the JSON Schema (2020-12) of a kind, or one that picks by kind.",
    ),
}
"""A test compares each summary with the docstring, which `COMMAND --help` prints."""

_GROUP_HELP = {
    "agent": "Agents: enrol, run and look.",
    "job": "Jobs: list, run, steer and decide.",
    "example": "Examples: tests of mappings and scopes, as documents.",
    "expression": "Expressions: try, understand and look up; offline.",
}
SECTIONS = {
    "Start": ("init", "validate", "up"),
    "Review and apply": ("plan", "apply"),
    "Run": ("serve", "agent"),
    "Operate": ("status", "job", "drift", "logs"),
    "Understand": ("explain", "provision", "example"),
    "Languages and formats": ("expression", "schema", "import-schema", "export-schema"),
}
"""The commands of the first level, as `--help` lists them."""


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
    """Take the options; `Called` reads what they say."""
    del verbose, version


class Called(Command):
    """A command that has its logs when it runs; help and wrong usage need none."""

    def invoke(self, ctx: Any) -> Any:
        from cloudforest.base import logs  # noqa: PLC0415 - takes a while to load

        verbose = ctx.find_root().params["verbose"]
        logs.configure_logging(json=False, verbose=verbose)
        return super().invoke(ctx)


class Root(Group):
    """The first level; Typer makes it, with the options of `_options`."""

    def __init__(self, *, commands: object, **attributes: Any) -> None:
        del commands  # none are registered with Typer: it would want the functions
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
    """Return the commands of the second level by their own word: `job pause`."""
    found: dict[str, list[str]] = {}
    for name in COMMANDS:
        group, _, word = name.rpartition(" ")
        if group:
            found.setdefault(word, []).append(name)
    return found


@functools.cache
def _load(name: str) -> Any:
    """Import a command, or make a group that imports its own when they are called."""
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
    alone.command(name.rpartition(" ")[2], cls=Called)(
        getattr(module, declared.function)
    )
    return typer.main.get_command(alone)


def make_app() -> typer.Typer:
    """Return the app, with commands that are imported when they are called."""
    app = typer.Typer(
        name="cloudforest",
        cls=Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=settings(),
        help="Active Directory forests, synced to any SCIM 2.0 cloud, as code.",
        epilog="`cloudforest COMMAND --help` tells what a command takes.",
    )
    app.callback()(_configure)
    return app


def _tune_garbage_collection() -> None:
    """Look for cyclic garbage after 10,000 new objects, not 700, and not in modules.

    Nearly all of what a cycle makes is freed without it; the search took a tenth of the
    processor's time (measured).
    """
    gc.freeze()
    gc.set_threshold(10_000)


def main() -> int:
    app = make_app()
    _tune_garbage_collection()
    return boundary.run_command(lambda: app(standalone_mode=False), reword=_worded)


def _worded(said: str) -> str:
    """Return what an error says, with commands that work on the state it was called."""
    from cloudforest.cli.options import find_state_option  # noqa: PLC0415 - errors only
    from cloudforest.control_plane.state_folder import add_state_to_commands  # noqa: PLC0415

    return add_state_to_commands(said, find_state_option(sys.argv[1:]))
