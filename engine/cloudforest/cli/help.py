"""The text of `--help`: usage, arguments, options, commands by section.

The reference pages and the man page use the same names and sentences.
"""

from __future__ import annotations

import os
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

_KINDS = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER"}
_USAGE = 64


def settings() -> dict[str, Any]:
    """Return the settings of every command: `-h`, and no colour if NO_COLOR is set."""
    color = False if os.environ.get("NO_COLOR") else None
    return {"help_option_names": ["-h", "--help"], "color": color}


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
    found = parameter.type_descriptor.choices or ()
    return [str(getattr(each, "value", each)) for each in found]


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


def did_you_mean(typed: str, here: Iterable[str], elsewhere: Iterable[str]) -> str:
    """Return a question that names similar commands, or nothing.

    `pause` is similar to the last word of `job pause`, which is elsewhere.
    """
    known: dict[str, list[str]] = {}
    for name in elsewhere:
        known.setdefault(name.split()[-1], []).append(name)
    known |= {name: [name] for name in here}
    words = get_close_matches(typed, known)
    return _question(name for word in words for name in known[word])


def _question(names: Iterable[str]) -> str:
    listed = ", ".join(map(repr, names))
    return f" Did you mean {listed}?" if listed else ""


def of_kind(parameters: Iterable[Any], kind: str) -> list[Any]:
    """Return the parameters of a kind: `argument` or `option`."""
    return [each for each in parameters if each.param_type_name == kind]


class _Plain:
    """The help of commands and groups is plain text; errors suggest similar options."""

    def format_usage(self: Any, ctx: Any, formatter: Any) -> None:
        pieces = [self.options_metavar]
        pieces += map(argument_name, of_kind(self.params, "argument"))
        if isinstance(self, Group):
            pieces.append(self.subcommand_metavar)
        formatter.write_usage(ctx.command_path, " ".join(pieces))

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        parameters = [each for each in self.get_params(ctx) if not each.hidden]
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

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        parent: Any = super()
        try:
            return parent.parse_args(ctx, args)
        except TyperException as error:
            found: Any = error
            if near := getattr(error, "possibilities", None):
                error.message = f"{error.message}.{_question(near)}"
                found.possibilities = None
            raise


class Command(_Plain, TyperCommand):
    """A command with plain help."""


class _Commands(UserDict[str, Any]):
    """The commands of a group; each is imported when it is looked up."""

    def __init__(self, names: Iterable[str], load: Callable[[str], Any]) -> None:
        super().__init__({name: partial(load, name) for name in names})

    def __getitem__(self, name: str) -> Any:
        return self.data[name]()


class Group(_Plain, TyperGroup):
    """A group whose help, completion and suggestions import none of its commands."""

    def __init__(
        self,
        *,
        load: Callable[[str], Any],
        sections: Mapping[str, Mapping[str, str]],
        elsewhere: Iterable[str] = (),
        **attributes: Any,
    ) -> None:
        """Take one line of help for each command, by section; `load` imports one.

        `elsewhere`: commands of other groups, to suggest for their last word.
        """
        super().__init__(suggest_commands=False, **attributes)
        self.summaries = {k: v for rows in sections.values() for k, v in rows.items()}
        self.commands = _Commands(self.summaries, load)
        self.sections = sections
        self.elsewhere = elsewhere

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(self.summaries)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, rows in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(list(rows.items()))
        super().format_options(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(_USAGE)
        for each in of_kind(self.get_params(ctx), "option"):
            if each.is_flag and each.default is None:
                # Typer would load pydantic (80 ms) to find that None is not a bool.
                each.default = False
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            error.message += did_you_mean(args[0], self.commands, self.elsewhere)
            raise

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=summary)
            for name, summary in self.summaries.items()
            if name.startswith(incomplete)
        ]
        # Skips TyperGroup, which would import every command for its help.
        return [*named, *super(TyperGroup, self).shell_complete(ctx, incomplete)]
