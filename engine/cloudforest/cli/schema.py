"""`schema`: the JSON Schemas of documents and plans, for editors. Offline."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, BadParameter

from cloudforest.cli import terminal


def schema(
    kind: Annotated[
        str,
        Argument(
            help="A kind of document, or `plan` for its JSON. Default: all kinds."
        ),
    ] = "",
) -> None:
    from cloudforest.base.wording import suggest_names
    from cloudforest.compiler.schemas import DOCUMENT_KINDS, bundle_schemas, load_schema

    known = {each.lower() for each in (*DOCUMENT_KINDS, "plan")}
    if kind and kind.lower() not in known:
        hint = suggest_names(kind, DOCUMENT_KINDS)
        raise BadParameter(f'Unknown kind "{kind}". {hint}')
    terminal.print_json(load_schema(kind) if kind else bundle_schemas())
