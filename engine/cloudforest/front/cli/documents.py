"""`validate`: are the documents right? Offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.base.diagnostics import has_errors
from cloudforest.base.errors import Misconfigured
from cloudforest.compiler.compile import Compiled, compile_tree
from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli import complaints
from cloudforest.front.cli.options import Tree
from cloudforest.model.registration import Registration


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
            told = [complaints.as_data(each) for each in found]
            terminal.print_json({"valid": not has_errors(found), "diagnostics": told})
        case ValidateFormat.GITHUB:
            complaints.print_annotations(found, tree)
        case ValidateFormat.TEXT:
            complaints.show(found, terminal.out)
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
    complaints.show(compiled.diagnostics, terminal.err)
    if compiled.registration is None:
        errors = sum(each.severity == "error" for each in compiled.diagnostics)
        raise Misconfigured(
            f"The documents in {tree} have {terminal.count(errors, 'error')}; see "
            "above, and mend what is said there."
        )
    return compiled, compiled.registration
