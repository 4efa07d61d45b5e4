"""`validate`: are the documents right? Offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudforest.base.diagnostics import Diagnostic, has_errors
from cloudforest.base.errors import Misconfigured
from cloudforest.compiler.compile import Compiled, compile_tree
from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.options import Format, Output, Tree
from cloudforest.model.registration import Registration


def validate(tree: Tree = Path(), output: Output = Format.TEXT) -> int:
    """Check the documents; every mistake is told, with its place."""
    compiled = compile_tree(tree)
    if output is Format.JSON:
        terminal.print_json(_data(compiled))
    else:
        terminal.show_diagnostics(compiled.diagnostics, terminal.out)
        if compiled.registration is not None:
            terminal.done(_summary(compiled))
    return Exit.FAILED if has_errors(compiled.diagnostics) else Exit.DONE


def _summary(compiled: Compiled) -> str:
    return (
        f"{compiled.documents} documents in {terminal.count(compiled.files, 'file')} "
        f"are valid ({terminal.count(len(compiled.diagnostics), 'warning')})."
    )


def _data(compiled: Compiled) -> dict[str, Any]:
    return {
        "valid": not has_errors(compiled.diagnostics),
        "diagnostics": [_diagnostic(each) for each in compiled.diagnostics],
    }


def _diagnostic(each: Diagnostic) -> dict[str, Any]:
    return {
        "id": each.id,
        "severity": each.severity,
        "message": each.message,
        "file": each.place.file,
        "line": each.place.line,
        "column": each.place.column,
    }


def compiled_tree(tree: Path) -> tuple[Compiled, Registration]:
    """Compile for a command that goes on; says what is wrong and stops if it can't."""
    compiled = compile_tree(tree)
    terminal.show_diagnostics(compiled.diagnostics, terminal.err)
    if compiled.registration is None:
        errors = sum(each.severity == "error" for each in compiled.diagnostics)
        raise Misconfigured(
            f"The documents in {tree} have {terminal.count(errors, 'error')}; see "
            "above, and mend what is said there."
        )
    return compiled, compiled.registration
