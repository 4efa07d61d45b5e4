"""`logs`: what was done to whom.

One entry of the provisioning log as a line of words, JSON or CSV.
"""

from __future__ import annotations

import asyncio
import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Refused, Unavailable
from cloudforest.cli.connection import connect
from cloudforest.cli.options import State, past, state_folder
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.model.cycles import LogAction, LogQuery, LogStatus
from cloudforest.plan.wording import in_words

Entry = Mapping[str, Any]

COLUMNS = (
    *("id", "time", "cycle", "job", "object", "type", "name", "action", "status"),
    *("resource", "paths", "changes", "membersAdded", "membersRemoved"),
    *("httpStatus", "reason", "milliseconds"),
)
AUDITED = ("id", "time", "operator", "action", "detail")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula, whoever wrote it (OWASP)."""


def _changes(entry: Entry) -> Iterator[str]:
    for each in entry["changes"]:
        if each["before"] is None:
            yield f"{each['path']} = {in_words(each['after'])}"
        else:
            after = "(nothing)" if each["after"] is None else in_words(each["after"])
            yield f"{each['path']}: {in_words(each['before'])} → {after}"
    if members := entry["members"]:
        yield f"members: {members['added']} added, {members['removed']} removed"


def _text(entry: Entry) -> str:
    words = [entry[key] for key in ("time", "job", "action", "status", "name")]
    told = [entry["reason"] or "", "; ".join(_changes(entry))]
    whole = "  ".join(each for each in (" ".join(words), *told) if each)
    return _line(whole)


def _line(text: str) -> str:
    """Return it as one line; it may hold a break, or an escape that terminals obey."""
    shown = (
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text
    )
    return "".join(shown) + "\n"


def _json(entry: Entry) -> str:
    return msgspec.json.encode(entry).decode() + "\n"


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(_cell, cells))
    return line.getvalue()


def _csv(entry: Entry) -> str:
    members = entry["members"] or {}
    flat = {
        **entry,
        "paths": " ".join(entry["paths"]),
        "changes": msgspec.json.encode(entry["changes"]).decode(),
        "membersAdded": members.get("added"),
        "membersRemoved": members.get("removed"),
    }
    return _row(flat[column] for column in COLUMNS)


def csv_head() -> str:
    return _row(COLUMNS)


def audit_head() -> str:
    return _row(AUDITED)


AUDIT_LINES: Mapping[str, Callable[[Entry], str]] = {
    "text": lambda record: _line("  ".join(record[key] for key in AUDITED[1:])),
    "json": _json,
    "csv": lambda record: _row(record[key] for key in AUDITED),
}
"""The same for what operators had done."""

LINES: Mapping[str, Callable[[Entry], str]] = {
    "text": _text,
    "json": _json,
    "csv": _csv,
}


_POLL_SECONDS = 1.0


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def _option(*names: str, help_: str) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(*names, help=help_)
    return info


def logs(  # noqa: PLR0913 - each is an option
    *,
    state: State = None,
    job: Annotated[str | None, _option("--job", help_="Of one job only.")] = None,
    subject: Annotated[
        str | None,
        _option("--object", help_="Of one object: objectGUID, or name as logged."),
    ] = None,
    action: Annotated[
        LogAction | None, _option("--action", help_="Of one action only.")
    ] = None,
    status: Annotated[
        LogStatus | None, _option("--status", help_="What became of it.")
    ] = None,
    cycle: Annotated[str | None, _option("--cycle", help_="Of one cycle only.")] = None,
    since: Annotated[
        str | None, _option("--since", help_="From 2h ago, or an ISO time, on.")
    ] = None,
    until: Annotated[
        str | None, _option("--until", help_="Before 2h ago, or an ISO time.")
    ] = None,
    audit: Annotated[
        bool, _option("--audit", help_="What operators had done: applies and the rest.")
    ] = False,
    follow: Annotated[
        bool, _option("--follow", "-f", help_="Go on with what is logged from now on.")
    ] = False,
    output: Annotated[
        LogFormat,
        _option("--format", help_="Words, one JSON object a line, or CSV."),
    ] = LogFormat.TEXT,
) -> int:
    """Print the provisioning log, a line for each object and action.

    What operators had done, each apply with its plan and commit, is in the audit, which
    `--audit` prints instead.
    """
    if audit:
        if follow or any((job, subject, action, status, cycle, since, until)):
            raise typer.BadParameter(
                "`--audit` prints all that operators had done; leave out what asks for "
                "a part of the provisioning log."
            )
        asyncio.run(_audit(state_folder(state), output))
        return 0
    now = system_clock()
    query = LogQuery(
        job=job,
        object=subject,
        action=action,
        status=status,
        cycle=cycle,
        since=past(since, now),
        until=past(until, now),
    )
    asyncio.run(_logs(state_folder(state), query, output, follow=follow))
    return 0


async def _audit(folder: StateFolder, output: LogFormat) -> None:
    line = AUDIT_LINES[output]
    if output is LogFormat.CSV:
        sys.stdout.write(audit_head())
    async with connect(folder) as client:
        async for record in client.audit():
            sys.stdout.write(line(record))


async def _require_job(client: ControlPlaneClient, name: str) -> None:
    """Refuse a name that neither a job has nor the log: it was mistyped."""
    if any(each["name"] == name for each in await client.jobs()):
        return
    async for _ in client.logs(LogQuery(job=name)):
        return
    raise Refused(
        f"There is no job {name}, and the log knows none of that name; `cloudforest "
        "job list` shows those there are."
    )


async def _logs(
    folder: StateFolder, query: LogQuery, output: LogFormat, *, follow: bool
) -> None:
    if follow and folder.keys.is_dir() and folder.serving() is None:
        raise Unavailable(
            f"Nothing runs that would log more: no `cloudforest serve` holds "
            f"{folder.path}. Start it, or leave out --follow."
        )
    line = LINES[output]
    if output is LogFormat.CSV:
        sys.stdout.write(csv_head())
    async with connect(folder) as client:
        last = 0
        while True:
            async for entry in client.logs(query, after=last):
                sys.stdout.write(line(entry))
                last = entry["id"]
            sys.stdout.flush()
            if not last and query.job is not None:
                await _require_job(client, query.job)
            if not follow:
                return
            await asyncio.sleep(_POLL_SECONDS)
