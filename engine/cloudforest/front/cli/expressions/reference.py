"""`expression functions`: what there is to write with."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from cloudforest.base.errors import Misconfigured
from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.options import Format, Output
from cloudforest.program.expressions.catalog import unknown
from cloudforest.program.expressions.reference import Entry, entries

Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="One function only.")
]


def functions(name: Name = None, output: Output = Format.TEXT) -> int:
    """List the functions and operators of expressions."""
    found = [each for each in entries() if name in {None, each.name}]
    if not found:
        raise Misconfigured(unknown(name or "").message)
    if output is Format.JSON:
        terminal.print_json([_data(each) for each in found])
    else:
        _show(found)
    return Exit.DONE


def _show(found: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("function", "gives", "what it is for"):
        table.add_column(title, overflow="fold")
    for each in found:
        table.add_row(each.syntax.replace("[", "\\["), each.gives, each.summary)
    terminal.out.print(table)


def _data(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "syntax": entry.syntax,
        "gives": entry.gives,
        "pure": entry.pure,
        "summary": entry.summary,
        "parameters": [
            {
                "name": each.name,
                "kind": each.kind,
                "optional": each.optional,
                "repeating": each.repeating,
                "choice": list(each.choice),
            }
            for each in entry.parameters
        ],
    }
