"""`expression explain`: how an expression comes to its value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.expressions.evaluating import shown
from cloudforest.front.cli.expressions.objects import (
    Attribute,
    Now,
    Object,
    Taken,
    trial,
)
from cloudforest.front.cli.options import Format, Output
from cloudforest.program.expressions.trying import Result, Step, explain_expression

_STYLES = {"value": "green", "outcome": "dim", "error": "red"}


def explain(
    expression: Annotated[str, typer.Argument(help="What to explain.")],
    attribute: Attribute = None,
    object_: Object = None,
    now: Now = None,
    taken: Taken = None,
    output: Output = Format.TEXT,
) -> int:
    """Show an expression as a tree, with the value of each step for an object."""
    tried = trial(attribute, object_, now, taken)
    step = explain_expression(expression, tried.attributes, tried.setting)
    if output is Format.JSON:
        terminal.print_json(_data(step))
    else:
        for line in _lines(step):
            terminal.out.print(line, soft_wrap=True)
    return Exit.FAILED if step.result.kind == "error" else Exit.DONE


def _data(step: Step) -> dict[str, Any]:
    return {
        "expression": step.text,
        step.result.kind: step.result.what,
        "steps": [_data(each) for each in step.steps],
    }


def _said(result: Result) -> str:
    if isinstance(result.what, list):
        return " · ".join(map(shown, result.what))
    return shown(result.what)


def _lines(step: Step, first: str = "", rest: str = "") -> Iterator[Text]:
    """Yield the tree, a line for each step, however long: none is cut short."""
    style = _STYLES[step.result.kind]
    told = (_said(step.result), style)
    yield Text.assemble((first, "dim"), step.text, ("  →  ", "dim"), told)
    for each in step.steps[:-1]:
        yield from _lines(each, f"{rest}├── ", f"{rest}│   ")
    for each in step.steps[-1:]:
        yield from _lines(each, f"{rest}└── ", f"{rest}    ")
