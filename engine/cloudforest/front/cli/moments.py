"""Points in time as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import typer

_AGO = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def future(text: str, now: datetime) -> datetime:
    """Return the time that is `2h` from now, or the one that is written; see `past`."""
    written = past(text, now)
    assert written is not None  # noqa: S101 - there is a text
    return now + (now - written) if _AGO.fullmatch(text) else written


def past(text: str | None, now: datetime) -> datetime | None:
    """Return the time that `2h` ago was, or the one that is written in ISO 8601.

    One without an offset is local. Raises typer.BadParameter for anything else.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a time; write 2h, 1d or 2026-11-23T08:00."
        ) from error
