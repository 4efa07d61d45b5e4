"""`logs`: what was done to whom."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Refused, Unavailable
from cloudforest.front.cli.moments import past
from cloudforest.front.cli.options import State, state_folder
from cloudforest.front.cli.understanding.entries import (
    AUDIT_LINES,
    LINES,
    audit_head,
    csv_head,
)
from cloudforest.front.hosting.connection import connect
from cloudforest.front.state import StateFolder
from cloudforest.model.provisioning import LogAction, LogQuery, LogStatus

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
