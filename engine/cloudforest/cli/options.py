"""What several commands share: arguments, options, and times as people type them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec

from typer import Argument, BadParameter, Option

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.state_folder import StateFolder

Tree = Annotated[Path, Argument(metavar="[TREE]", help="The folder of the documents.")]
Job = Annotated[str, Argument(metavar="JOB", help="The job's name.")]
Object = Annotated[
    str,
    Argument(
        metavar="OBJECT",
        help="A DN, an objectGUID, ATTRIBUTE=VALUE, or a value to match by.",
    ),
]
State = Annotated[
    Path | None,
    Option(
        "--state",
        metavar="DIR",
        envvar="CLOUDFOREST_STATE",
        help="The state folder. Default: TREE/.cloudforest.",
    ),
]


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


TEXT: Final = OutputFormat.TEXT
Format = Annotated[
    OutputFormat, Option("--format", help="Text for people, or one JSON document.")
]
P = ParamSpec("P")


def async_command(
    command: Callable[P, Coroutine[Any, Any, int | None]],
) -> Callable[P, int | None]:
    """Make a command from a coroutine function; Typer still sees its parameters."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int | None:
        import asyncio

        return asyncio.run(command(*args, **kwargs))

    return run


def parse_pairs(pairs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `NAME=VALUE`; names in lower case, a repeated name has several values."""
    values: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise BadParameter(f'"{pair}" is not NAME=VALUE.')
        values[name.lower()] = (*values.get(name.lower(), ()), value)
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
        raise BadParameter(str(error)) from error


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


_DURATION = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNIT_NAMES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_past_time(text: str) -> datetime:
    """Read `2h` (ago), or a time in ISO 8601."""
    return _parse_time(text, -1)


def parse_future_time(text: str) -> datetime:
    """Read `2h` (from now), or a time in ISO 8601."""
    return _parse_time(text, 1)


def _parse_time(text: str, sign: int) -> datetime:
    """Read a duration from now, or a time, local if it has no offset.

    Raises BadParameter for anything else.
    """
    try:
        if found := _DURATION.fullmatch(text):
            unit = _UNIT_NAMES[found["unit"]]
            return datetime.now(UTC) + timedelta(**{unit: sign * int(found["number"])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise BadParameter(
            f'"{text}" is not a time. Write 2h, 1d or 2026-11-23T08:00.'
        ) from error
