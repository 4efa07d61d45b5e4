"""What several commands share: arguments, options, and times as people type them."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.state_folder import StateFolder

TreeArgument = Annotated[
    Path, typer.Argument(metavar="[TREE]", help="The folder of the documents.")
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="CLOUDFOREST_STATE",
        help="The state folder. Default: TREE/.cloudforest.",
    ),
]


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option("--format", help="Text for people, or one JSON document."),
]
P = ParamSpec("P")


def async_command(command: Callable[P, Coroutine[Any, Any, int]]) -> Callable[P, int]:
    """Make a command from a coroutine function; Typer still sees its parameters."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        return asyncio.run(command(*args, **kwargs))

    return run


def parse_pairs(pairs: Sequence[str]) -> dict[str, list[str]]:
    """Read `NAME=VALUE`; names in lower case, a repeated name has several values."""
    values: dict[str, list[str]] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise typer.BadParameter(f'"{pair}" is not NAME=VALUE.')
        values.setdefault(name.lower(), []).append(value)
    return values


def state_for_commands(state: Path | None, tree: Path) -> Path | None:
    """Return the `--state` that later commands need here; None if they need none."""
    if state is not None or tree.absolute() == Path.cwd():
        return state
    return tree / ".cloudforest"


@contextmanager
def report_as_usage_error() -> Iterator[None]:
    """Report a bad value of an option as wrong usage."""
    try:
        yield
    except Misconfigured as error:
        raise typer.BadParameter(str(error)) from error


def find_state_option(arguments: Sequence[str]) -> Path | None:
    """Return the value of `--state` in a command line, or None."""
    for each, following in pairwise([*arguments, ""]):
        if each.startswith("--state="):
            return Path(each.removeprefix("--state="))
        if each == "--state" and following:
            return Path(following)
    return None


def state_folder(state: Path | None, tree: Path = Path()) -> StateFolder:
    return StateFolder((state or tree / ".cloudforest").absolute())


def tree_folder(state: Path | None) -> Path:
    """Return the tree of the state folder; the current folder without `--state`."""
    return Path.cwd() if state is None else state_folder(state).resolve_tree(None)


_RELATIVE_TIME = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNIT_NAMES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_future_time(text: str, now: datetime) -> datetime:
    """Read `2h` (from now) or a time in ISO 8601; see `parse_past_time`."""
    time = parse_past_time(text, now)
    assert time is not None  # noqa: S101 - only None gives None
    return now + (now - time) if _RELATIVE_TIME.fullmatch(text) else time


def parse_past_time(text: str | None, now: datetime) -> datetime | None:
    """Read `2h` (ago) or a time in ISO 8601, local if it has no offset.

    Raises typer.BadParameter for anything else.
    """
    if text is None:
        return None
    try:
        if ago := _RELATIVE_TIME.fullmatch(text):
            return now - timedelta(**{_UNIT_NAMES[ago["unit"]]: int(ago["number"])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f'"{text}" is not a time. Write 2h, 1d or 2026-11-23T08:00.'
        ) from error
