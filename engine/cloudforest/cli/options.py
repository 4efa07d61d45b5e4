"""The arguments and options that several commands share.

Points in time as people type them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.state_folder import StateFolder

TreeArgument = Annotated[
    Path, typer.Argument(metavar="[TREE]", help="The folder with the documents.")
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="CLOUDFOREST_STATE",
        help="The state folder; TREE/.cloudforest if it is left out.",
    ),
]


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option("--format", help="Words for people, or one JSON document."),
]


def state_for_commands(state: Path | None, tree: Path) -> Path | None:
    """Return what `--state` must say in the current folder; None: nothing."""
    if state is not None or tree.absolute() == Path.cwd():
        return state
    return tree / ".cloudforest"


@contextmanager
def report_as_usage_error() -> Iterator[None]:
    """Take what is said of an option's value for what it is: wrong usage."""
    try:
        yield
    except Misconfigured as error:
        raise typer.BadParameter(str(error)) from error


def find_state_option(arguments: Sequence[str]) -> Path | None:
    """Return what `--state` says in a command line, if it is there."""
    for each, following in pairwise([*arguments, ""]):
        if each.startswith("--state="):
            return Path(each.removeprefix("--state="))
        if each == "--state" and following:
            return Path(following)
    return None


def state_folder(state: Path | None, tree: Path = Path()) -> StateFolder:
    return StateFolder((state or tree / ".cloudforest").absolute())


def tree_folder(state: Path | None) -> Path:
    """Return the tree of a command that names none: the state's, or where we are."""
    return Path.cwd() if state is None else state_folder(state).resolve_tree(None)


_RELATIVE_TIME = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNIT_NAMES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_future_time(text: str, now: datetime) -> datetime:
    """Return the time that is `2h` from now, or the one that is written; see `past`."""
    written = parse_past_time(text, now)
    assert written is not None  # noqa: S101 - there is a text
    return now + (now - written) if _RELATIVE_TIME.fullmatch(text) else written


def parse_past_time(text: str | None, now: datetime) -> datetime | None:
    """Return the time that `2h` ago was, or the one that is written in ISO 8601.

    One without an offset is local. Raises typer.BadParameter for anything else.
    """
    if text is None:
        return None
    try:
        if ago := _RELATIVE_TIME.fullmatch(text):
            return now - timedelta(**{_UNIT_NAMES[ago["unit"]]: int(ago["number"])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a time; write 2h, 1d or 2026-11-23T08:00."
        ) from error
