"""`logs`: the provisioning log and the audit, one entry per line."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from typer import BadParameter, Option

from cloudforest.base.errors import Refused, Unavailable
from cloudforest.base.values import describe_value
from cloudforest.cli import options, terminal
from cloudforest.cli.connection import connect_to_state
from cloudforest.model.cycles import LogAction, LogQuery, LogStatus

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient

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
        before, after = (
            "(nothing)" if each[key] is None else describe_value(each[key])
            for key in ("before", "after")
        )
        is_new = each["before"] is None
        yield each["path"] + (f" = {after}" if is_new else f": {before} → {after}")
    if members := entry["members"]:
        yield f"members: {members['added']} added, {members['removed']} removed"


def _format_text(entry: LogRecord) -> str:
    words = [terminal.format_time(entry["time"])]
    words += [entry[key] for key in ("job", "action", "status", "name")]
    parts = (" ".join(words), entry["reason"], "; ".join(_format_changes(entry)))
    return _to_one_line("  ".join(filter(None, parts)))


def _format_audit_text(record: LogRecord) -> str:
    words = [record[key] for key in AUDIT_COLUMNS[2:]]
    return _to_one_line("  ".join([terminal.format_time(record["time"]), *words]))


def _to_one_line(text: str) -> str:
    """Return it as one line, without line breaks or terminal escapes."""
    shown = (c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown) + "\n"


def _format_json(entry: LogRecord) -> str:
    return msgspec.json.encode(entry).decode() + "\n"


def format_csv_row(cells: Iterable[Any]) -> str:
    texts = ("" if each is None else str(each) for each in cells)
    line = io.StringIO()
    csv.writer(line).writerow(
        describe_value(f"'{each}" if each.startswith(FORMULA_STARTS) else each)
        for each in texts
    )
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
    "text": _format_audit_text,
    "json": _format_json,
    "csv": lambda record: format_csv_row(record[key] for key in AUDIT_COLUMNS),
}

LOG_FORMATTERS: Mapping[str, Callable[[LogRecord], str]] = {
    "text": _format_text,
    "json": _format_json,
    "csv": _format_csv,
}


def _time_option(name: str, start: str) -> Any:
    return Option(
        name,
        metavar="TIME",
        parser=options.parse_past_time,
        help=f"{start}: 2h (ago), or ISO 8601.",
    )


@options.async_command
async def logs(  # noqa: PLR0913 - each is an option
    *,
    state: options.State = None,
    job: Annotated[str | None, Option(help="Only this job.")] = None,
    subject: Annotated[
        str | None,
        Option(
            "--object", help="Only this object: an objectGUID, or a name as logged."
        ),
    ] = None,
    action: Annotated[LogAction | None, Option(help="Only this action.")] = None,
    status: Annotated[LogStatus | None, Option(help="Only this status.")] = None,
    cycle: Annotated[str | None, Option(help="Only this cycle.")] = None,
    since: Annotated[datetime | None, _time_option("--since", "From then on")] = None,
    until: Annotated[datetime | None, _time_option("--until", "Before then")] = None,
    audit: Annotated[
        bool, Option("--audit", help="Print the audit: what operators did.")
    ] = False,
    follow: Annotated[
        bool, Option("--follow", "-f", help="Keep printing new entries.")
    ] = False,
    output: Annotated[
        LogFormat, Option("--format", help="Text, one JSON object per line, or CSV.")
    ] = LogFormat.TEXT,
) -> None:
    """With `--audit`, print what operators did, each apply with its plan and commit."""
    query = LogQuery(
        job=job,
        object=subject,
        action=action,
        status=status,
        cycle=cycle,
        since=since,
        until=until,
    )
    if not audit:
        await _print_logs(state, query, output, follow=follow)
        return
    if follow or query != LogQuery():
        raise BadParameter(
            "--audit prints the whole audit. --follow and the filters are for the "
            "provisioning log."
        )
    await _print_audit(state, output)


async def _print_audit(state: Path | None, output: LogFormat) -> None:
    format_line = AUDIT_FORMATTERS[output]
    if output is LogFormat.CSV:
        sys.stdout.write(format_csv_row(AUDIT_COLUMNS))
    async with connect_to_state(state) as client:
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
    state: Path | None, query: LogQuery, output: LogFormat, *, follow: bool
) -> None:
    import asyncio

    folder = options.state_folder(state)
    if follow and folder.keys.is_dir() and folder.find_running_server() is None:
        raise Unavailable(
            f'No `cloudforest serve` runs on "{folder.path}", so --follow has nothing '
            "to wait for. Start `serve`, or leave out --follow."
        )
    format_line = LOG_FORMATTERS[output]
    if output is LogFormat.CSV:
        sys.stdout.write(format_csv_row(LOG_COLUMNS))
    async with connect_to_state(state) as client:
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
