"""`logs`: the provisioning log and the audit, one entry per line."""

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

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Refused, Unavailable
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import (
    StateOption,
    async_command,
    parse_past_time,
    state_folder,
)
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.model.cycles import LogAction, LogQuery, LogStatus
from cloudforest.plan.wording import describe_value

LogRecord = Mapping[str, Any]

LOG_COLUMNS = (
    *("id", "time", "cycle", "job", "object", "type", "name", "action", "status"),
    *("resource", "paths", "changes", "membersAdded", "membersRemoved"),
    *("httpStatus", "reason", "milliseconds"),
)
AUDIT_COLUMNS = ("id", "time", "operator", "action", "detail")
_FOLLOW_SECONDS = 1.0
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Characters that start a formula in a spreadsheet (OWASP, CSV injection)."""


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def _format_changes(entry: LogRecord) -> Iterator[str]:
    for each in entry["changes"]:
        if each["before"] is None:
            yield f"{each['path']} = {describe_value(each['after'])}"
        else:
            after = (
                "(nothing)" if each["after"] is None else describe_value(each["after"])
            )
            yield f"{each['path']}: {describe_value(each['before'])} → {after}"
    if members := entry["members"]:
        yield f"members: {members['added']} added, {members['removed']} removed"


def _format_text(entry: LogRecord) -> str:
    words = [entry[key] for key in ("time", "job", "action", "status", "name")]
    parts = (" ".join(words), entry["reason"], "; ".join(_format_changes(entry)))
    return _to_one_line("  ".join(filter(None, parts)))


def _to_one_line(text: str) -> str:
    """Return it as one line, without line breaks or terminal escapes."""
    shown = (
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text
    )
    return "".join(shown) + "\n"


def _format_json(entry: LogRecord) -> str:
    return msgspec.json.encode(entry).decode() + "\n"


def _escape_formula(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def format_csv_row(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(_escape_formula, cells))
    return line.getvalue()


def _format_csv(entry: LogRecord) -> str:
    members = entry["members"] or {}
    flat = {
        **entry,
        "paths": " ".join(entry["paths"]),
        "changes": msgspec.json.encode(entry["changes"]).decode(),
        "membersAdded": members.get("added"),
        "membersRemoved": members.get("removed"),
    }
    return format_csv_row(flat[column] for column in LOG_COLUMNS)


AUDIT_FORMATTERS: Mapping[str, Callable[[LogRecord], str]] = {
    "text": lambda record: _to_one_line(
        "  ".join(record[key] for key in AUDIT_COLUMNS[1:])
    ),
    "json": _format_json,
    "csv": lambda record: format_csv_row(record[key] for key in AUDIT_COLUMNS),
}

LOG_FORMATTERS: Mapping[str, Callable[[LogRecord], str]] = {
    "text": _format_text,
    "json": _format_json,
    "csv": _format_csv,
}


def _make_option(*names: str, help_: str) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(*names, help=help_)
    return info


@async_command
async def logs(  # noqa: PLR0913 - each is an option
    *,
    state: StateOption = None,
    job: Annotated[str | None, _make_option("--job", help_="Only this job.")] = None,
    subject: Annotated[
        str | None,
        _make_option(
            "--object",
            help_="Only this object: an objectGUID, or a name as logged.",
        ),
    ] = None,
    action: Annotated[
        LogAction | None,
        _make_option("--action", help_="Only this action."),
    ] = None,
    status: Annotated[
        LogStatus | None,
        _make_option("--status", help_="Only this status."),
    ] = None,
    cycle: Annotated[
        str | None, _make_option("--cycle", help_="Only this cycle.")
    ] = None,
    since: Annotated[
        str | None,
        _make_option("--since", help_="From then on: 2h (ago), or ISO 8601."),
    ] = None,
    until: Annotated[
        str | None,
        _make_option("--until", help_="Before then: 2h (ago), or ISO 8601."),
    ] = None,
    audit: Annotated[
        bool,
        _make_option("--audit", help_="Print the audit: what operators did."),
    ] = False,
    follow: Annotated[
        bool,
        _make_option("--follow", "-f", help_="Keep printing new entries."),
    ] = False,
    output: Annotated[
        LogFormat,
        _make_option("--format", help_="Text, one JSON object per line, or CSV."),
    ] = LogFormat.TEXT,
) -> int:
    """Print the provisioning log, one line per object and action.

    `--audit` prints the audit instead: what operators did, each apply with its plan and
    commit.
    """
    if audit:
        if follow or any((job, subject, action, status, cycle, since, until)):
            raise typer.BadParameter(
                "--audit prints the whole audit. --follow and the filters are for the "
                "provisioning log."
            )
        await _print_audit(state_folder(state), output)
        return 0
    now = system_clock()
    query = LogQuery(
        job=job,
        object=subject,
        action=action,
        status=status,
        cycle=cycle,
        since=parse_past_time(since, now),
        until=parse_past_time(until, now),
    )
    await _print_logs(state_folder(state), query, output, follow=follow)
    return 0


async def _print_audit(folder: StateFolder, output: LogFormat) -> None:
    format_line = AUDIT_FORMATTERS[output]
    if output is LogFormat.CSV:
        sys.stdout.write(format_csv_row(AUDIT_COLUMNS))
    async with connect_to_state(folder) as client:
        async for record in client.audit():
            sys.stdout.write(format_line(record))


async def _require_known_job(client: ControlPlaneClient, name: str) -> None:
    """Refuse a name that neither the jobs nor the log have: it is a typing mistake."""
    if any(each["name"] == name for each in await client.jobs()):
        return
    async for _ in client.logs(LogQuery(job=name)):
        return
    raise Refused(
        f'Unknown job "{name}": not registered, and not in the log. `cloudforest job '
        "list` lists the jobs."
    )


async def _print_logs(
    folder: StateFolder, query: LogQuery, output: LogFormat, *, follow: bool
) -> None:
    if follow and folder.keys.is_dir() and folder.find_running_server() is None:
        raise Unavailable(
            f'No `cloudforest serve` runs on "{folder.path}", so --follow has nothing '
            "to wait for. Start `serve`, or leave out --follow."
        )
    format_line = LOG_FORMATTERS[output]
    if output is LogFormat.CSV:
        sys.stdout.write(format_csv_row(LOG_COLUMNS))
    async with connect_to_state(folder) as client:
        last = 0
        while True:
            async for entry in client.logs(query, after=last):
                sys.stdout.write(format_line(entry))
                last = entry["id"]
            sys.stdout.flush()
            if not last and query.job is not None:
                await _require_known_job(client, query.job)
            if not follow:
                return
            await asyncio.sleep(_FOLLOW_SECONDS)
