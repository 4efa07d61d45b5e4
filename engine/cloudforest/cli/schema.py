"""`schema`: the JSON Schemas of documents and plans, for editors. Offline."""

from __future__ import annotations

from typing import Annotated

import typer

from cloudforest.base.wording import suggest_names
from cloudforest.cli import terminal
from cloudforest.compiler.schemas import DOCUMENT_KINDS, bundle_schemas, load_schema


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            help="A kind of document, or `plan` for its JSON. Default: all kinds."
        ),
    ] = "",
) -> None:
    """Print the JSON Schema (2020-12) of one kind, or of all kinds."""
    known = {each.lower() for each in (*DOCUMENT_KINDS, "plan")}
    if kind and kind.lower() not in known:
        raise typer.BadParameter(
            f'Unknown kind "{kind}". {suggest_names(kind, DOCUMENT_KINDS)}'
        )
    terminal.print_json(load_schema(kind) if kind else bundle_schemas())
