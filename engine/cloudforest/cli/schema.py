"""`schema`: what a document may say, for editors and other programs. Offline."""

from __future__ import annotations

from typing import Annotated

import typer

from cloudforest.cli import terminal
from cloudforest.compiler.schemas import KINDS, bundled, schema_of
from cloudforest.compiler.wording import hint


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            help="A kind of document, or `plan`: the JSON of one. Left out: all kinds."
        ),
    ] = "",
) -> None:
    """Print the JSON Schema (2020-12) of a kind, or one that picks by kind."""
    known = {each.lower() for each in (*KINDS, "plan")}
    if kind and kind.lower() not in known:
        raise typer.BadParameter(f'There is no kind "{kind}"; {hint(kind, KINDS)}')
    terminal.print_json(schema_of(kind) if kind else bundled())
