"""`validate`: mistakes in the documents, for people, programs and pull requests."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.console import Console
from rich.text import Text
from typer import Option

from cloudforest.base.diagnostics import Diagnostic, Severity, has_errors
from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import format_count
from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode

if TYPE_CHECKING:
    from cloudforest.compiler.compile import CompiledTree
    from cloudforest.model.registration import Registration

_MAX_EXCERPT = 100
"""Characters shown of a line, so that the caret stays in sight."""
_MAX_BEFORE_CARET = 60


def print_diagnostics(diagnostics: Iterable[Diagnostic], console: Console) -> None:
    """Print each with its line and a caret, unless the line may hold a secret."""
    for each in diagnostics:
        style = "red" if each.severity is Severity.ERROR else "yellow"
        text = Text.assemble(
            (f"{each.location}: ", "bold"),
            (f"{each.severity}: ", style),
            f"{each.message} ",
            (f"[{each.id}]", "dim"),
        )
        for line in _excerpt_with_caret(each):
            text.append(f"\n{line}", "dim")
        console.print(text, soft_wrap=True)


def _excerpt_with_caret(diagnostic: Diagnostic) -> Iterable[str]:
    """Yield the line, shortened around the place, and the caret below it."""
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
    """Print workflow commands, which GitHub Actions shows beside the lines.

    `::error file=…,line=…,col=…,title=…::message`. Files are relative to the current
    folder, which is the checkout in a workflow.
    """
    for each in diagnostics:
        where = {"title": each.id}
        file = tree / each.location.file
        if file.is_file():
            place = {"line": str(each.location.line), "col": str(each.location.column)}
            where = {"file": file.as_posix(), **place, **where}
        fields = ",".join(f"{k}={_escape(v, ':,')}" for k, v in where.items())
        sys.stdout.write(f"::{each.severity} {fields}::{_escape(each.message)}\n")


def _escape(text: str, more: str = "") -> str:
    special = f"%\r\n{more}"
    return "".join(f"%{ord(each):02X}" if each in special else each for each in text)


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
    tree: options.Tree = Path(),
    output: Annotated[
        ValidateFormat,
        Option("--format", help="Text, one JSON document, or annotations for GitHub."),
    ] = ValidateFormat.TEXT,
) -> int:
    from cloudforest.compiler.compile import compile_tree

    compiled = compile_tree(tree)
    diagnostics = compiled.diagnostics
    match output:
        case ValidateFormat.JSON:
            shapes = [shape_diagnostic(each) for each in diagnostics]
            is_valid = not has_errors(diagnostics)
            terminal.print_json({"valid": is_valid, "diagnostics": shapes})
        case ValidateFormat.GITHUB:
            print_annotations(diagnostics, tree)
        case ValidateFormat.TEXT:
            print_diagnostics(diagnostics, terminal.out_console)
            if compiled.registration is not None:
                documents = format_count(compiled.document_count, "document")
                are = "is" if compiled.document_count == 1 else "are"
                files = format_count(compiled.file_count, "file")
                warnings = format_count(len(diagnostics), "warning")
                terminal.print_done(f"{documents} in {files} {are} valid ({warnings}).")
    return ExitCode.FAILED if has_errors(diagnostics) else ExitCode.DONE


def require_compiled_tree(tree: Path) -> tuple[CompiledTree, Registration]:
    """Compile a tree and print its diagnostics; raises Misconfigured on errors."""
    from cloudforest.compiler.compile import compile_tree

    compiled = compile_tree(tree)
    print_diagnostics(compiled.diagnostics, terminal.err_console)
    if compiled.registration is None:
        errors = sum(each.severity == "error" for each in compiled.diagnostics)
        raise Misconfigured(
            f'The documents in "{tree}" have {format_count(errors, "error")}. '
            "Fix what is listed above."
        )
    return compiled, compiled.registration
