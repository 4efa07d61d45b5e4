"""`expression eval`: what an expression gives for an object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.expressions.batch import results
from cloudforest.front.cli.expressions.objects import (
    Attribute,
    Now,
    Object,
    Taken,
    trial,
)
from cloudforest.front.cli.options import Format, Output
from cloudforest.program.expressions.trying import Result, try_expression

Text = Annotated[
    str | None, typer.Argument(metavar="[EXPRESSION]", help="What to evaluate.")
]
Batch = Annotated[
    Path | None,
    typer.Option(
        "--batch",
        metavar="FILE",
        help='A JSON list of {"expression", "attributes", "now"?, "taken"?}.',
    ),
]


def evaluate(  # noqa: PLR0913, PLR0917 - each is an option
    expression: Text = None,
    batch: Batch = None,
    attribute: Attribute = None,
    object_: Object = None,
    now: Now = None,
    taken: Taken = None,
    output: Output = Format.TEXT,
) -> int:
    """Evaluate an expression for an object, or many from a file."""
    if batch is not None:
        if expression or attribute or object_ or now or taken:
            raise typer.BadParameter("--batch FILE says all of it; leave out the rest.")
        terminal.print_json(results(batch))
        return Exit.DONE
    if expression is None:
        raise typer.BadParameter("An EXPRESSION or --batch FILE is missing.")
    tried = trial(attribute, object_, now, taken)
    result = try_expression(expression, tried.attributes, tried.setting)
    if output is Format.JSON:
        terminal.print_json({result.kind: result.what})
    else:
        _show(result)
    return Exit.FAILED if result.kind == "error" else Exit.DONE


def _show(result: Result) -> None:
    if result.kind == "error":
        terminal.complain(f"error: {result.what}")
        return
    several: list[Any] = result.what if isinstance(result.what, list) else [result.what]
    for each in several:
        terminal.out.print(shown(each), markup=False, soft_wrap=True)


def shown(value: Any) -> str:
    return "null" if value is None else str(value)
