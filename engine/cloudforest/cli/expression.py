"""`expression …`: evaluate and explain expressions offline, and list the functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.text import Text
from typer import Argument, BadParameter, Option

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import MAX_DATA_BYTES, read_bounded
from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.options import TEXT

if TYPE_CHECKING:
    from cloudforest.program.expressions.function import EvaluationContext, Function
    from cloudforest.program.expressions.trial import TrialResult, TrialStep

Attributes = dict[str, tuple[str, ...]]

AttributeOption = Annotated[
    list[str] | None,
    Option(
        "--attribute",
        "-a",
        metavar="NAME=VALUE",
        help="An attribute of the object. Repeat a name for several values.",
    ),
]
ObjectOption = Annotated[
    Path | None,
    Option(
        "--object", metavar="FILE", help="A JSON file with the object's attributes."
    ),
]
NowOption = Annotated[
    str | None, Option(help="The time that Now() returns. Default: now.")
]
TakenOption = Annotated[
    list[str] | None,
    Option(metavar="VALUE", help="A value that SelectUniqueValue must avoid."),
]


class InvalidEntry(ValueError):  # noqa: N818 - a result of one entry
    """A part of an entry has the wrong shape; the message is a sentence."""


def _parse_value(value: Any) -> str:
    from cloudforest.program.expressions.values import as_boolean, as_text

    if isinstance(value, bool):
        return as_boolean(value)
    if not isinstance(value, str | int | float):
        raise InvalidEntry(
            "The value of an attribute must be a text, a number, true or false."
        )
    text = as_text(value)
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise InvalidEntry("A value contains an invalid Unicode character.")
    return text


def parse_attributes(value: Any) -> Attributes:
    """Read `{name: value | [values] | null}`; raises InvalidEntry."""
    if not isinstance(value, dict):
        raise InvalidEntry("`attributes` must be an object of names and values.")
    lists = {
        name.lower(): each if isinstance(each, list) else [each]
        for name, each in value.items()
    }
    return {
        name: tuple(_parse_value(each) for each in values if each is not None)
        for name, values in lists.items()
    }


def parse_moment(value: Any) -> datetime:
    """Read a date as CDate does, in UTC if it has no zone."""
    from cloudforest.program.expressions.date_parsing import as_moment_or_none

    moment = as_moment_or_none(value)
    if moment is None:
        raise InvalidEntry(f'"{value}" is not a date. Write 2026-11-23T08:00:00Z.')
    return moment.at


def parse_taken_values(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidEntry("`taken` must be a list of texts.")
    return frozenset(value)


def read_json_file(path: Path) -> Any:
    try:
        return json.loads(read_bounded(path, MAX_DATA_BYTES))
    except OSError as error:
        raise Misconfigured(f'Cannot read "{path}": {error.strerror}.') from error
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f'"{path}" is not a JSON document.') from error


def make_trial_input(
    pairs: Sequence[str] | None,
    file: Path | None,
    now: str | None,
    taken: Sequence[str] | None,
) -> tuple[Attributes, EvaluationContext]:
    """Build the object from the options; `--attribute` overrides `--object`."""
    from cloudforest.program.expressions.function import EvaluationContext

    try:
        attributes = parse_attributes(read_json_file(file)) if file else {}
        moment = parse_moment(now) if now else datetime.now(UTC)
    except InvalidEntry as error:
        raise Misconfigured(f"{file or '--now'}: {error}") from error
    context = EvaluationContext(now=moment, taken=frozenset(taken or ()))
    return attributes | options.parse_pairs(pairs or ()), context


def _evaluate_entry(entry: Any) -> TrialResult:
    from cloudforest.program.expressions.function import EvaluationContext
    from cloudforest.program.expressions.trial import try_expression

    if not isinstance(entry, dict) or not isinstance(entry.get("expression"), str):
        raise InvalidEntry('An entry must be an object with an "expression".')
    now, taken = entry.get("now"), entry.get("taken")
    context = EvaluationContext(
        now=datetime.now(UTC) if now is None else parse_moment(now),
        taken=frozenset() if taken is None else parse_taken_values(taken),
    )
    given = entry.get("attributes")
    attributes = {} if given is None else parse_attributes(given)
    return try_expression(entry["expression"], attributes, context)


def _shape_entry(entry: Any) -> dict[str, Any]:
    try:
        result = _evaluate_entry(entry)
    except InvalidEntry as error:
        return {"error": str(error)}
    return {result.kind: result.content}


def evaluate_batch(file: Path) -> list[dict[str, Any]]:
    """Return `{"value"}`, `{"outcome"}` or `{"error"}` for each entry, in order."""
    entries = read_json_file(file)
    if not isinstance(entries, list):
        raise Misconfigured(
            f'"{file}" is not a JSON list of {{"expression", "attributes"}}.'
        )
    return list(map(_shape_entry, entries))


def evaluate(  # noqa: PLR0913, PLR0917 - each is an option
    expression: Annotated[
        str | None, Argument(metavar="[EXPRESSION]", help="What to evaluate.")
    ] = None,
    batch: Annotated[
        Path | None,
        Option(
            "--batch",
            metavar="FILE",
            help='A JSON list of {"expression", "attributes", "now"?, "taken"?}.',
        ),
    ] = None,
    attribute: AttributeOption = None,
    object_: ObjectOption = None,
    now: NowOption = None,
    taken: TakenOption = None,
    output: options.Format = TEXT,
) -> int:
    from cloudforest.program.expressions.trial import try_expression

    if batch is not None:
        if expression or attribute or object_ or now or taken:
            raise BadParameter("--batch excludes all other options.")
        terminal.print_json(evaluate_batch(batch))
        return ExitCode.DONE
    if expression is None:
        raise BadParameter("Pass an EXPRESSION, or --batch FILE.")
    attributes, context = make_trial_input(attribute, object_, now, taken)
    result = try_expression(expression, attributes, context)
    shape = {result.kind: result.content}
    terminal.print_result(shape, output, lambda: _print_trial(result))
    return ExitCode.FAILED if result.kind == "error" else ExitCode.DONE


def _print_trial(result: TrialResult) -> None:
    if result.kind == "error":
        terminal.print_to_stderr(f"error: {result.content}")
        return
    for each in _list_values(result):
        terminal.out_console.print(each, markup=False, soft_wrap=True)


def _list_values(result: TrialResult) -> list[str]:
    content = result.content
    values = content if isinstance(content, list) else [content]
    return ["null" if each is None else str(each) for each in values]


_RESULT_STYLES = {"value": "green", "outcome": "dim", "error": "red"}


def explain(
    expression: Annotated[str, Argument(help="The expression to explain.")],
    attribute: AttributeOption = None,
    object_: ObjectOption = None,
    now: NowOption = None,
    taken: TakenOption = None,
    output: options.Format = TEXT,
) -> int:
    from cloudforest.program.expressions.trial import explain_expression

    attributes, context = make_trial_input(attribute, object_, now, taken)
    step = explain_expression(expression, attributes, context)

    def show() -> None:
        for line in _format_steps(step):
            terminal.print_line(line)

    terminal.print_result(_shape_step(step), output, show)
    return ExitCode.FAILED if step.result.kind == "error" else ExitCode.DONE


def _shape_step(step: TrialStep) -> dict[str, Any]:
    return {
        "expression": step.text,
        step.result.kind: step.result.content,
        "steps": [_shape_step(each) for each in step.steps],
    }


def _format_steps(step: TrialStep, first: str = "", rest: str = "") -> Iterator[Text]:
    """Yield one line per step, without a limit to its length."""
    result = " · ".join(_list_values(step.result)), _RESULT_STYLES[step.result.kind]
    yield Text.assemble((first, "dim"), step.text, ("  →  ", "dim"), result)
    for each in step.steps[:-1]:
        yield from _format_steps(each, f"{rest}├── ", f"{rest}│   ")
    for each in step.steps[-1:]:
        yield from _format_steps(each, f"{rest}└── ", f"{rest}    ")


def functions(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="Show only this function.")
    ] = None,
    output: options.Format = TEXT,
) -> None:
    from cloudforest.program.expressions.catalog import (
        list_functions,
        make_unknown_function_fault,
    )

    entries = [each for each in list_functions() if name in {None, each.name}]
    if not entries:
        raise Misconfigured(make_unknown_function_fault(name or "").message)
    shapes = [_shape_function(each) for each in entries]
    terminal.print_result(shapes, output, lambda: _print_functions(entries))


def _print_functions(entries: list[Function]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("function", "result", "purpose"):
        table.add_column(title, overflow="fold")
    for each in entries:
        table.add_row(each.syntax.replace("[", "\\["), each.gives, each.summary)
    terminal.out_console.print(table)


def _shape_function(entry: Function) -> dict[str, Any]:
    details = ("name", "kind", "optional", "repeating", "choice")
    return {
        "name": entry.name,
        "syntax": entry.syntax,
        "gives": entry.gives,
        "pure": not entry.impure,
        "summary": entry.summary,
        "parameters": [
            {key: getattr(each, key) for key in details} for each in entry.parameters
        ],
    }
