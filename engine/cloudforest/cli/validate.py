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
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.options import TreeArgument
from cloudforest.compiler.compile import CompiledTree, compile_tree
from cloudforest.model.registration import Registration

_MAX_EXCERPT = 100
"""Characters shown of a line; a caret far to the right is of no help."""
_MAX_BEFORE_CARET = 60


def print_diagnostics(diagnostics: Iterable[Diagnostic], console: Console) -> None:
    """Print each with its line and a caret, unless a secret may be in that."""
    for each in diagnostics:
        style = "red" if each.severity is Severity.ERROR else "yellow"
        told = Text.assemble(
            (f"{each.location}: ", "bold"),
            (f"{each.severity}: ", style),
            f"{each.message} ",
            (f"[{each.id}]", "dim"),
        )
        for line in _excerpt_with_caret(each):
            told.append(f"\n{line}", "dim")
        console.print(told, soft_wrap=True)


def _excerpt_with_caret(diagnostic: Diagnostic) -> Iterable[str]:
    """Yield the line and, under it, the caret; of a long line a part around it."""
    if diagnostic.excerpt is None:
        return
    line = "".join(each if each.isprintable() else " " for each in diagnostic.excerpt)
    at = diagnostic.location.column - 1
    start = max(0, at - _MAX_BEFORE_CARET) if len(line) > _MAX_EXCERPT else 0
    shown = line[start : start + _MAX_EXCERPT].rstrip()
    number = f"{diagnostic.location.line:5}"
    yield f"{number} | {shown}"
    yield f"{'':{len(number)}} | {'':{at - start}}^"


def print_annotations(diagnostics: Iterable[Diagnostic], tree: Path) -> None:
    """Print workflow commands of GitHub Actions, which shows each at its line.

    `::error file=…,line=…,col=…,title=…::message`; files as seen from the current
    folder, which is the checkout's in a workflow.
    """
    for each in diagnostics:
        where = {"title": each.id}
        file = tree / each.location.file
        if file.is_file():
            place = {"line": str(each.location.line), "col": str(each.location.column)}
            where = {"file": file.as_posix(), **place, **where}
        fields = ",".join(
            f"{key}={_escape_property(value)}" for key, value in where.items()
        )
        sys.stdout.write(
            f"::{each.severity} {fields}::{_escape_message(each.message)}\n"
        )


def _escape_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_message(text).replace(":", "%3A").replace(",", "%2C")


def shape_diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return the documented JSON."""
    return {
        "id": diagnostic.id,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.location.file,
        "line": diagnostic.location.line,
        "column": diagnostic.location.column,
    }


class ValidateFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    tree: TreeArgument = Path(),
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
            told = [shape_diagnostic(each) for each in found]
            terminal.print_json({"valid": not has_errors(found), "diagnostics": told})
        case ValidateFormat.GITHUB:
            print_annotations(found, tree)
        case ValidateFormat.TEXT:
            print_diagnostics(found, terminal.out_console)
            if compiled.registration is not None:
                terminal.print_done(_format_summary(compiled))
    return ExitCode.FAILED if has_errors(found) else ExitCode.DONE


def _format_summary(compiled: CompiledTree) -> str:
    return (
        f"{compiled.document_count} documents in "
        f"{terminal.format_count(compiled.file_count, 'file')} "
        f"are valid ({terminal.format_count(len(compiled.diagnostics), 'warning')})."
    )


def require_compiled_tree(tree: Path) -> tuple[CompiledTree, Registration]:
    """Compile for a command that goes on; says what is wrong and stops if it can't."""
    compiled = compile_tree(tree)
    print_diagnostics(compiled.diagnostics, terminal.err_console)
    if compiled.registration is None:
        errors = sum(each.severity == "error" for each in compiled.diagnostics)
        raise Misconfigured(
            f"The documents in {tree} have "
            f"{terminal.format_count(errors, 'error')}; see "
            "above, and mend what is said there."
        )
    return compiled, compiled.registration
