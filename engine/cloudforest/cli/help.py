"""The text of `--help`: usage, arguments, options, commands by section.

The reference pages and the man page use the same names and sentences.
"""

from __future__ import annotations

import inspect
import os
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from cloudforest.base.wording import find_similar

_KINDS = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER"}
_USAGE = 64
SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
"""Of every command: `-h` is short for `--help`."""


def settings() -> dict[str, Any]:
    """Return SETTINGS, without colour if NO_COLOR is set."""
    return {**SETTINGS, "color": False if os.environ.get("NO_COLOR") else None}


def option_names(option: Any) -> list[str]:
    """Return an option's names, the last with the name of its value: `--state PATH`."""
    *names, last = sorted((*option.opts, *option.secondary_opts), key=len)
    return [*names, f"{last} {value_name(option)}".strip()]


def value_name(option: Any) -> str:
    """Return the name of an option's value; empty for a flag."""
    if option.is_flag:
        return ""
    if option.metavar:
        return str(option.metavar)
    if values := choices(option):
        name: str = max(option.opts, key=len)
        return name.strip("-").upper() if len(values) > 1 else values[0]
    kind: str = option.display_type(_no_context()).strip("<>")
    kind = kind.removeprefix("list[").removesuffix("]").removesuffix(" range")
    return _KINDS.get(kind, kind.upper())


def choices(parameter: Any) -> list[str]:
    return [
        str(getattr(each, "value", each))
        for each in parameter.type_descriptor.choices or ()
    ]


def _no_context() -> Any:
    """Typer asks a context whether choices ignore case; ours do not."""
    return typer.Context(Command("cloudforest"))


def argument_name(argument: Any) -> str:
    """Return the name in the usage: `JOB`, or `[TREE]` if it can be left out."""
    name = (argument.metavar or argument.name).strip("[]").upper()
    more = "..." if argument.nargs == -1 else ""
    return f"{name}{more}" if argument.required else f"[{name}]{more}"


def describe(parameter: Any, quoted: Callable[[str], str] = str) -> str:
    """Return the help of an argument or option, with its default, choices, variable."""
    return " ".join((parameter.help or "", *_notes(parameter, quoted))).strip()


def _notes(parameter: Any, quoted: Callable[[str], str]) -> Iterator[str]:
    default = getattr(parameter.default, "value", parameter.default)
    if parameter.required:
        yield "Required."
    elif default == Path():
        yield "Default: the current folder."
    elif default not in (None, False, (), "") and not callable(default):
        yield f"Default: {quoted(str(default))}."
    values = choices(parameter)
    if len(values) > 1:
        yield f"One of {', '.join(map(quoted, values))}."
    if getattr(parameter, "multiple", False):
        yield "Can be repeated."
    if parameter.envvar:
        yield f"Environment variable: {quoted(parameter.envvar)}."


def did_you_mean(typed: str, known: Mapping[str, Sequence[str]]) -> str:
    """Return a question that names similar commands, or nothing; `known` is by word."""
    words = find_similar(typed, known)
    return _question(name for word in words for name in known[word])


def _question(names: Iterable[str]) -> str:
    listed = ", ".join(repr(each) for each in names)
    return f" Did you mean {listed}?" if listed else ""


def _suggest_options(error: TyperException) -> None:
    """Add similar options to the message, the most similar first."""
    found: Any = error
    if near := getattr(error, "possibilities", None):
        error.message = f"{error.message}.{_question(near)}"
        found.possibilities = None


def _write_usage(command: Any, ctx: Any, formatter: Any) -> None:
    pieces = [command.options_metavar]
    pieces += map(argument_name, of_kind(command.params, "argument"))
    if isinstance(command, Group):
        pieces.append(command.subcommand_metavar)
    formatter.write_usage(ctx.command_path, " ".join(pieces))


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    parameters = [each for each in command.get_params(ctx) if not each.hidden]
    arguments = [
        (argument_name(each).strip("[]"), describe(each))
        for each in of_kind(parameters, "argument")
    ]
    options = [
        (", ".join(option_names(each)), describe(each))
        for each in of_kind(parameters, "option")
    ]
    for title, rows in (("Arguments", arguments), ("Options", options)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def of_kind(parameters: Iterable[Any], kind: str) -> list[Any]:
    """Return the parameters of a kind: `argument` or `option`."""
    return [each for each in parameters if each.param_type_name == kind]


class Command(TyperCommand):
    """A command whose help is plain text."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            _suggest_options(error)
            raise


class Commands(UserDict[str, Any]):
    """The commands of a group; each is imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return self.data[name]()


class Group(TyperGroup):
    """A group whose help, completion and suggestions import none of its commands."""

    def __init__(
        self,
        *,
        commands: Commands,
        sections: Mapping[str, Mapping[str, str]],
        elsewhere: Mapping[str, Sequence[str]] | None = None,
        **attributes: Any,
    ) -> None:
        """Take one line of help for each command, by section.

        `elsewhere`: commands of other groups to suggest, by their last word.
        """
        super().__init__(suggest_commands=False, **attributes)
        self.commands = commands
        self.sections = sections
        self.elsewhere = elsewhere or {}

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return [name for section in self.sections.values() for name in section]

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, rows in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(list(rows.items()))
        _write_options(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(_USAGE)
        for each in of_kind(self.get_params(ctx), "option"):
            if each.is_flag and each.default is None:
                # Typer would load pydantic (80 ms) to find that None is not a bool.
                each.default = False
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            _suggest_options(error)
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            known = {**self.elsewhere, **{each: [each] for each in self.commands}}
            error.message += did_you_mean(args[0], known)
            raise

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import (  # noqa: PLC0415 - while completing
            CompletionItem,
        )

        named = [
            CompletionItem(name, help=summary)
            for section in self.sections.values()
            for name, summary in section.items()
            if name.startswith(incomplete)
        ]
        # Skips TyperGroup, which would import every command for its help.
        return [*named, *super(TyperGroup, self).shell_complete(ctx, incomplete)]


def summary(command: Any) -> str:
    """Return the first paragraph of a command's help, on one line."""
    whole = inspect.cleandoc(command.help or "").partition("\f")[0]
    return " ".join(whole.split("\n\n")[0].split())
