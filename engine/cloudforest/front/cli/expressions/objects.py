"""The object that an expression is tried on, as people and files give it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.base.errors import Misconfigured
from cloudforest.program.expressions.evaluate import Setting
from cloudforest.program.expressions.functions.dates.reading import moment_or_none
from cloudforest.program.expressions.functions.values import boolean, text

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
