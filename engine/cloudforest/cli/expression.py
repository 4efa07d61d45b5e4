"""The object that an expression is tried on, as people and files give it.

Many expressions from a file, each with its object, to many results.

`expression eval`: what an expression gives for an object.

`expression explain`: how an expression comes to its value.

`expression functions`: what there is to write with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text as RichText

from cloudforest.base.errors import Misconfigured
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.options import Format, Output
from cloudforest.program.expressions.catalog import Entry, entries, unknown
from cloudforest.program.expressions.date_parsing import moment_or_none
from cloudforest.program.expressions.evaluate import Setting
from cloudforest.program.expressions.trial import (
    Result,
    Step,
    explain_expression,
    try_expression,
)
from cloudforest.program.expressions.values import boolean, text

Attribute = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="NAME=VALUE",
        help="An attribute of the object; repeat a name for several values.",
    ),
]
Object = Annotated[
    Path | None,
    typer.Option(
        "--object", metavar="FILE", help="A JSON file with the object's attributes."
    ),
]
Now = Annotated[
    str | None, typer.Option("--now", help="The moment that Now() gives; else now.")
]
Taken = Annotated[
    list[str] | None,
    typer.Option(
        "--taken", metavar="VALUE", help="A value that SelectUniqueValue can't choose."
    ),
]


class NotAnEntry(ValueError):  # noqa: N818 - a result of one entry
    """A part of an entry is not of its shape; the message is a sentence."""


@dataclass(frozen=True)
class Trial:
    """An object in the form that expressions see, and what surrounds it."""

    attributes: Mapping[str, tuple[str, ...]]
    setting: Setting


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return boolean(value)
    if not isinstance(value, str | int | float):
        raise NotAnEntry("A value of an attribute is a text, a number, true or false.")
    made = text(value)
    if any("\ud800" <= each <= "\udfff" for each in made):
        raise NotAnEntry("A value holds a character that is not one.")
    return made


def _values(value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    return tuple(_text(each) for each in several if each is not None)


def attributes_of(value: Any) -> dict[str, tuple[str, ...]]:
    """Read `{name: value | [values] | null}`; raises NotAnEntry."""
    if not isinstance(value, dict):
        raise NotAnEntry("The attributes are an object of names and values.")
    return {name.lower(): _values(each) for name, each in value.items()}


def moment_of(written: Any) -> datetime:
    """Read a date as CDate does; one without a zone is in UTC."""
    found = moment_or_none(written)
    if found is None:
        raise NotAnEntry(f"{written!r} is not a date; write 2026-11-23T08:00:00Z.")
    return found.at


def taken_of(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise NotAnEntry("What is taken is a list of texts.")
    return frozenset(value)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Misconfigured(
            f"{path} is not JSON; it has to hold one JSON document."
        ) from error


def _named(pairs: Sequence[str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE.")
        named.setdefault(name.lower(), []).append(value)
    return named


def trial(
    pairs: Sequence[str] | None,
    file: Path | None,
    now: str | None,
    taken: Sequence[str] | None,
) -> Trial:
    """Make the object of options; those on the command line replace the file's."""
    try:
        held = attributes_of(read_json(file)) if file else {}
        moment = moment_of(now) if now else datetime.now(UTC)
    except NotAnEntry as error:
        raise Misconfigured(f"{file or '--now'}: {error}") from error
    named = {name: tuple(values) for name, values in _named(pairs or ()).items()}
    return Trial(held | named, Setting(now=moment, taken=frozenset(taken or ())))


def _entry(entry: Any) -> Result:
    if not isinstance(entry, dict) or not isinstance(entry.get("expression"), str):
        raise NotAnEntry('An entry is an object with an "expression".')
    now, taken = entry.get("now"), entry.get("taken")
    setting = Setting(
        now=datetime.now(UTC) if now is None else moment_of(now),
        taken=frozenset() if taken is None else taken_of(taken),
    )
    held = entry.get("attributes")
    attributes = {} if held is None else attributes_of(held)
    return try_expression(entry["expression"], attributes, setting)


def _result(entry: Any) -> Result:
    try:
        return _entry(entry)
    except NotAnEntry as error:
        return Result("error", str(error))


def results(file: Path) -> list[dict[str, Any]]:
    """Return `{"value"}`, `{"outcome"}` or `{"error"}` for each entry, in its order."""
    entries = read_json(file)
    if not isinstance(entries, list):
        raise Misconfigured(
            f'{file} does not hold a JSON list of {{"expression", "attributes"}}.'
        )
    return [{each.kind: each.what} for each in map(_result, entries)]


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
        _show_result(result)
    return Exit.FAILED if result.kind == "error" else Exit.DONE


def _show_result(result: Result) -> None:
    if result.kind == "error":
        terminal.complain(f"error: {result.what}")
        return
    several: list[Any] = result.what if isinstance(result.what, list) else [result.what]
    for each in several:
        terminal.out.print(shown(each), markup=False, soft_wrap=True)


def shown(value: Any) -> str:
    return "null" if value is None else str(value)


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
        terminal.print_json(_step_json(step))
    else:
        for line in _lines(step):
            terminal.out.print(line, soft_wrap=True)
    return Exit.FAILED if step.result.kind == "error" else Exit.DONE


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "expression": step.text,
        step.result.kind: step.result.what,
        "steps": [_step_json(each) for each in step.steps],
    }


def _said(result: Result) -> str:
    if isinstance(result.what, list):
        return " · ".join(map(shown, result.what))
    return shown(result.what)


def _lines(step: Step, first: str = "", rest: str = "") -> Iterator[RichText]:
    """Yield the tree, a line for each step, however long: none is cut short."""
    style = _STYLES[step.result.kind]
    told = (_said(step.result), style)
    yield RichText.assemble((first, "dim"), step.text, ("  →  ", "dim"), told)
    for each in step.steps[:-1]:
        yield from _lines(each, f"{rest}├── ", f"{rest}│   ")
    for each in step.steps[-1:]:
        yield from _lines(each, f"{rest}└── ", f"{rest}    ")


Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="One function only.")
]


def functions(name: Name = None, output: Output = Format.TEXT) -> int:
    """List the functions and operators of expressions."""
    found = [each for each in entries() if name in {None, each.name}]
    if not found:
        raise Misconfigured(unknown(name or "").message)
    if output is Format.JSON:
        terminal.print_json([_function_json(each) for each in found])
    else:
        _show_functions(found)
    return Exit.DONE


def _show_functions(found: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("function", "gives", "what it is for"):
        table.add_column(title, overflow="fold")
    for each in found:
        table.add_row(each.syntax.replace("[", "\\["), each.gives, each.summary)
    terminal.out.print(table)


def _function_json(entry: Entry) -> dict[str, Any]:
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
