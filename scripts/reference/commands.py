"""The pages of the commands, from the command line's own declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer.main
from scripts.reference.markdown import code, page, table

from cloudforest.cli.app import make_app

INDEX = """\
# Commands

`cloudforest COMMAND --help` shows the same text as these pages.

- `TREE` is the folder that holds your YAML documents: the current one by default.
- `--state DIR` names the state folder. It defaults to `TREE/.cloudforest`, and the
  variable `CLOUDFOREST_STATE` sets it too. Commands without `TREE` look for
  `.cloudforest` in the current folder.
- Results go to stdout. Progress, warnings and errors go to stderr.
- `--format json` prints one JSON document. See [JSON outputs](../outputs/index.md).
- Every command ends with an [exit code](../exit-codes.md)."""


def pages() -> dict[str, str]:
    root: Any = typer.main.get_command(make_app([]))
    made = {f"commands/{name}.md": _page(each) for name, each in _top(root)}
    return {"commands/index.md": _index(root), **made}


def _top(root: Any) -> Iterator[tuple[str, Any]]:
    for name, command in root.commands.items():
        if not command.hidden:
            yield name, command


def _index(root: Any) -> str:
    rows = [
        (f"[`{words}`]({name}.md{_anchor(words, name)})", _summary(command))
        for name, top in _top(root)
        for words, command in _leaves(name, top)
    ]
    return page(INDEX, table(("command", "what it does"), rows), _options(root))


def _anchor(words: str, name: str) -> str:
    return "" if words == name else f"#{words.replace(' ', '-')}"


def _page(command: Any) -> str:
    leaves = list(_leaves(command.name, command))
    if leaves[0][1] is command:
        return page(f"# {command.name}", *_parts(command.name, command))
    inner = [
        part for words, leaf in leaves for part in (f"## {words}", *_parts(words, leaf))
    ]
    return page(f"# {command.name}", _help(command), *inner)


def _leaves(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, each in command.commands.items():
        if not each.hidden:
            yield from _leaves(f"{words} {name}", each)


def _parts(words: str, command: Any) -> Iterator[str]:
    usage = " ".join(("cloudforest", words, *_pieces(command)))
    yield _help(command)
    yield f"```text\n{usage}\n```"
    arguments = [
        (code(_metavar(each)), f"{each.help or ''} {_needed(each)}".strip())
        for each in command.params
        if each.param_type_name == "argument"
    ]
    if arguments:
        yield table(("argument", "what it is"), arguments)
    yield _options(command)


def _pieces(command: Any) -> Iterator[str]:
    if any(each.param_type_name == "option" for each in command.params):
        yield "[OPTIONS]"
    for each in command.params:
        if each.param_type_name == "argument":
            name = _metavar(each)
            yield name if each.required else f"[{name}]"


def _metavar(argument: Any) -> str:
    return (argument.metavar or argument.name).strip("[]").upper()


def _needed(parameter: Any) -> str:
    if parameter.required:
        return "Required."
    if parameter.default in (None, False, (), "") or callable(parameter.default):
        return ""
    value = getattr(parameter.default, "value", parameter.default)
    return f"Default: `{value}`."


def _options(command: Any) -> str:
    rows = [
        (_names(each), _told(each))
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
    ]
    rows.append(("`--help`", "Show the help and exit."))
    return table(("option", "what it does"), rows)


def _names(option: Any) -> str:
    *aliases, last = (*option.opts, *option.secondary_opts)
    if not option.is_flag:
        kind = _type(option)
        last = f"{last} {'VALUE' if '|' in kind else kind.upper()}"
    return ", ".join(code(each) for each in (*aliases, last))


def _type(option: Any) -> str:
    shown = option.metavar or option.display_type(typer.Context(_NOTHING))
    return {"str": "text"}.get(plain := str(shown).strip("<>[]"), plain)


def _told(option: Any) -> str:
    text = f"{option.help or ''} {_needed(option)}".strip()
    if "|" in (kind := "" if option.is_flag else _type(option)):
        text += f" One of {', '.join(code(each) for each in kind.split('|'))}."
    if option.multiple:
        text += " Can be repeated."
    if option.envvar:
        text += f" Variable: `{option.envvar}`."
    return text


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\f", "")


def _summary(command: Any) -> str:
    return _help(command).split("\n\n")[0].replace("\n", " ")


_NOTHING: Any = typer.main.get_command(make_app(["validate"]))
