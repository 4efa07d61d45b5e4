"""The pages of the commands, from the command line's own declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer.main
from scripts.reference.markdown import code, page, table

from cloudforest.cli.app import COMMANDS, SECTIONS, make_app
from cloudforest.cli.help import (
    argument_name,
    describe,
    of_kind,
    option_names,
)

INDEX = """\
# Commands

`cloudforest COMMAND --help` shows the same text as these pages.

- `TREE` is the folder that holds your YAML documents: the current one by default.
- `--state DIR` names the state folder. It defaults to `TREE/.cloudforest`, and the
  variable `CLOUDFOREST_STATE` sets it too. Commands without `TREE` look for
  `.cloudforest` in the current folder.
- Results go to stdout. Progress, warnings and errors go to stderr.
- `--format json` prints one JSON document. See [JSON outputs](../outputs/index.md).
- Every command ends with an [exit code](../exit-codes.md).
- Colour is for terminals only. Set the variable `NO_COLOR=1` to have none.
- A name with a typing error gets a suggestion: `Did you mean 'plan'?`"""
SHELL = """\
## Completion and man page

`cloudforest --install-completion` sets up Tab for your shell: bash, zsh or fish. It
completes commands, options and the values of `--format`. Open a new shell to use it.
To write the file yourself, for example in an image, name the shell:

```bash
_CLOUDFOREST_COMPLETE=source_bash cloudforest > /etc/bash_completion.d/cloudforest
```

`man cloudforest` shows every command and option. The page is installed in
`share/man/man1` of the Python environment. If `man` does not find it there, name it:

```bash
man "$(dirname "$(command -v cloudforest)")/../share/man/man1/cloudforest.1"
```"""


def tree() -> Any:
    """Return the group of all commands, as the command line has it."""
    return typer.main.get_command(make_app())


def pages() -> dict[str, str]:
    root = tree()
    made = {f"commands/{name}.md": _page(each) for name, each in _top(root)}
    return {"commands/index.md": _index(root), **made}


def _top(root: Any) -> Iterator[tuple[str, Any]]:
    for name, command in root.commands.items():
        if not command.hidden:
            yield name, command


def _index(root: Any) -> str:
    parts = []
    for title, names in SECTIONS.items():
        rows = [
            (f"[`{words}`]({name}.md{_anchor(words, name)})", COMMANDS[words])
            for name in names
            for words, _ in leaves(name, root.commands[name])
        ]
        parts += [f"## {title}", table(("command", "what it does"), rows)]
    return page(INDEX, *parts, "## Options of cloudforest", _options(root), SHELL)


def _anchor(words: str, name: str) -> str:
    return "" if words == name else f"#{words.replace(' ', '-')}"


def _page(command: Any) -> str:
    found = list(leaves(command.name, command))
    if found[0][1] is command:
        return page(f"# {command.name}", *_parts(command.name, command))
    inner = [
        part for words, leaf in found for part in (f"## {words}", *_parts(words, leaf))
    ]
    return page(f"# {command.name}", _help(command), *inner)


def leaves(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, each in command.commands.items():
        if not each.hidden:
            yield from leaves(f"{words} {name}", each)


def _parts(words: str, command: Any) -> Iterator[str]:
    yield _help(command)
    yield f"```text\n{usage(words, command)}\n```"
    arguments = [
        (code(argument_name(each).strip("[]")), describe(each, code))
        for each in of_kind(command.params, "argument")
    ]
    if arguments:
        yield table(("argument", "what it is"), arguments)
    yield _options(command)


def usage(words: str, command: Any) -> str:
    pieces = [argument_name(each) for each in of_kind(command.params, "argument")]
    return " ".join(("cloudforest", words, "[OPTIONS]", *pieces))


def _options(command: Any) -> str:
    rows = [
        (", ".join(map(code, option_names(each))), describe(each, code))
        for each in of_kind(command.params, "option")
    ]
    rows.append(("`-h`, `--help`", "Show this message and exit."))
    return table(("option", "what it does"), rows)


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\f", "")
