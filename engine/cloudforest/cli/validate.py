"""What is wrong with the documents: for people, programs, and pull requests.

`validate`: are the documents right? Offline.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from cloudforest.base.diagnostics import Diagnostic, Severity, has_errors
from cloudforest.base.errors import Misconfigured
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.options import Tree
from cloudforest.compiler.compile import Compiled, compile_tree
from cloudforest.model.registration import Registration

_WIDTH = 100
"""Characters shown of a line; a caret far to the right is of no help."""
_BEFORE = 60


def show(diagnostics: Iterable[Diagnostic], console: Console) -> None:
    """Print each with its line and a caret, unless a secret may be in that."""
    for each in diagnostics:
        style = "red" if each.severity is Severity.ERROR else "yellow"
        told = Text.assemble(
            (f"{each.place}: ", "bold"),
            (f"{each.severity}: ", style),
            f"{each.message} ",
            (f"[{each.id}]", "dim"),
        )
        for line in _pointed(each):
            told.append(f"\n{line}", "dim")
        console.print(told, soft_wrap=True)


def _pointed(diagnostic: Diagnostic) -> Iterable[str]:
    """Yield the line and, under it, the caret; of a long line a part around it."""
    if diagnostic.excerpt is None:
        return
    line = "".join(each if each.isprintable() else " " for each in diagnostic.excerpt)
    at = diagnostic.place.column - 1
    start = max(0, at - _BEFORE) if len(line) > _WIDTH else 0
    shown = line[start : start + _WIDTH].rstrip()
    number = f"{diagnostic.place.line:5}"
    yield f"{number} | {shown}"
    yield f"{'':{len(number)}} | {'':{at - start}}^"


def print_annotations(diagnostics: Iterable[Diagnostic], tree: Path) -> None:
    """Print workflow commands of GitHub Actions, which shows each at its line.

    `::error file=…,line=…,col=…,title=…::message`; files as seen from the current
    folder, which is the checkout's in a workflow.
    """
    for each in diagnostics:
        where = {"title": each.id}
        file = tree / each.place.file
        if file.is_file():
            place = {"line": str(each.place.line), "col": str(each.place.column)}
            where = {"file": file.as_posix(), **place, **where}
        fields = ",".join(f"{key}={_property(value)}" for key, value in where.items())
        sys.stdout.write(f"::{each.severity} {fields}::{_escaped(each.message)}\n")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return the documented JSON."""
    return {
        "id": diagnostic.id,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.place.file,
        "line": diagnostic.place.line,
        "column": diagnostic.place.column,
    }


class ValidateFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    tree: Tree = Path(),
    output: Annotated[
        ValidateFormat,
        typer.Option(
            "--format", help="Words, one JSON document, or annotations for GitHub."
        ),
    ] = ValidateFormat.TEXT,
) -> int:
    """Check the documents; every mistake is told, with its place."""
    compiled = compile_tree(tree)
    found = compiled.diagnostics
    match output:
        case ValidateFormat.JSON:
            told = [as_data(each) for each in found]
            terminal.print_json({"valid": not has_errors(found), "diagnostics": told})
        case ValidateFormat.GITHUB:
            print_annotations(found, tree)
        case ValidateFormat.TEXT:
            show(found, terminal.out)
            if compiled.registration is not None:
                terminal.done(_summary(compiled))
    return Exit.FAILED if has_errors(found) else Exit.DONE


def _summary(compiled: Compiled) -> str:
    return (
        f"{compiled.documents} documents in {terminal.count(compiled.files, 'file')} "
        f"are valid ({terminal.count(len(compiled.diagnostics), 'warning')})."
    )


def compiled_tree(tree: Path) -> tuple[Compiled, Registration]:
    """Compile for a command that goes on; says what is wrong and stops if it can't."""
    compiled = compile_tree(tree)
    show(compiled.diagnostics, terminal.err)
    if compiled.registration is None:
        errors = sum(each.severity == "error" for each in compiled.diagnostics)
        raise Misconfigured(
            f"The documents in {tree} have {terminal.count(errors, 'error')}; see "
            "above, and mend what is said there."
        )
    return compiled, compiled.registration
