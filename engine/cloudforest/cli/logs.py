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
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.options import StateOption, parse_past_time, state_folder
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
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula, whoever wrote it (OWASP)."""


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
    told = [entry["reason"] or "", "; ".join(_format_changes(entry))]
    whole = "  ".join(each for each in (" ".join(words), *told) if each)
    return _to_one_line(whole)


def _to_one_line(text: str) -> str:
    """Return it as one line; it may hold a break, or an escape that terminals obey."""
    shown = (
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text
    )
    return "".join(shown) + "\n"


def _format_json(entry: LogRecord) -> str:
    return msgspec.json.encode(entry).decode() + "\n"


def _escape_formula(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _format_csv_row(cells: Iterable[Any]) -> str:
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
    return _format_csv_row(flat[column] for column in LOG_COLUMNS)


def format_log_header() -> str:
    return _format_csv_row(LOG_COLUMNS)


def format_audit_header() -> str:
    return _format_csv_row(AUDIT_COLUMNS)


AUDIT_FORMATTERS: Mapping[str, Callable[[LogRecord], str]] = {
    "text": lambda record: _to_one_line(
        "  ".join(record[key] for key in AUDIT_COLUMNS[1:])
    ),
    "json": _format_json,
    "csv": lambda record: _format_csv_row(record[key] for key in AUDIT_COLUMNS),
}
"""The same for what operators had done."""

LOG_FORMATTERS: Mapping[str, Callable[[LogRecord], str]] = {
    "text": _format_text,
    "json": _format_json,
    "csv": _format_csv,
}


_FOLLOW_SECONDS = 1.0


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def _make_option(*names: str, help_: str) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(*names, help=help_)
    return info


def logs(  # noqa: PLR0913 - each is an option
    *,
    state: StateOption = None,
    job: Annotated[str | None, _make_option("--job", help_="Of one job only.")] = None,
    subject: Annotated[
        str | None,
        _make_option("--object", help_="Of one object: objectGUID, or name as logged."),
    ] = None,
    action: Annotated[
        LogAction | None, _make_option("--action", help_="Of one action only.")
    ] = None,
    status: Annotated[
        LogStatus | None, _make_option("--status", help_="What became of it.")
    ] = None,
    cycle: Annotated[
        str | None, _make_option("--cycle", help_="Of one cycle only.")
    ] = None,
    since: Annotated[
        str | None, _make_option("--since", help_="From 2h ago, or an ISO time, on.")
    ] = None,
    until: Annotated[
        str | None, _make_option("--until", help_="Before 2h ago, or an ISO time.")
    ] = None,
    audit: Annotated[
        bool,
        _make_option("--audit", help_="What operators had done: applies and the rest."),
    ] = False,
    follow: Annotated[
        bool,
        _make_option("--follow", "-f", help_="Go on with what is logged from now on."),
    ] = False,
    output: Annotated[
        LogFormat,
        _make_option("--format", help_="Words, one JSON object a line, or CSV."),
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
        asyncio.run(_print_audit(state_folder(state), output))
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
    asyncio.run(_print_logs(state_folder(state), query, output, follow=follow))
    return 0


async def _print_audit(folder: StateFolder, output: LogFormat) -> None:
    line = AUDIT_FORMATTERS[output]
    if output is LogFormat.CSV:
        sys.stdout.write(format_audit_header())
    async with connect_to_state(folder) as client:
        async for record in client.audit():
            sys.stdout.write(line(record))


async def _require_known_job(client: ControlPlaneClient, name: str) -> None:
    """Refuse a name that neither a job has nor the log: it was mistyped."""
    if any(each["name"] == name for each in await client.jobs()):
        return
    async for _ in client.logs(LogQuery(job=name)):
        return
    raise Refused(
        f"There is no job {name}, and the log knows none of that name; `cloudforest "
        "job list` shows those there are."
    )


async def _print_logs(
    folder: StateFolder, query: LogQuery, output: LogFormat, *, follow: bool
) -> None:
    if follow and folder.keys.is_dir() and folder.find_running_server() is None:
        raise Unavailable(
            f"Nothing runs that would log more: no `cloudforest serve` holds "
            f"{folder.path}. Start it, or leave out --follow."
        )
    line = LOG_FORMATTERS[output]
    if output is LogFormat.CSV:
        sys.stdout.write(format_log_header())
    async with connect_to_state(folder) as client:
        last = 0
        while True:
            async for entry in client.logs(query, after=last):
                sys.stdout.write(line(entry))
                last = entry["id"]
            sys.stdout.flush()
            if not last and query.job is not None:
                await _require_known_job(client, query.job)
            if not follow:
                return
            await asyncio.sleep(_FOLLOW_SECONDS)
