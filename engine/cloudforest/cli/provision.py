"""Command."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudforest.cli.boundary import Exit, worst
from cloudforest.cli.connection import connect
from cloudforest.cli.explain import Subject, _show, lookup
from cloudforest.cli.job import JobName
from cloudforest.cli.options import Format, Output, State, state_folder

_CODES = {"staged": Exit.BLOCKED, "escrow": Exit.ESCROW}


def provision(
    job: JobName, subject: Subject, *, state: State = None, output: Output = Format.TEXT
) -> int:
    """Provision one object now: the same steps, and the target's answer."""
    return asyncio.run(_provision(job, subject, state, output))


async def _provision(job: str, subject: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state), agents=True) as client:
        provisioned = await client.provision(job, lookup(subject))
    ended = _CODES.get(provisioned["steps"][-1]["result"], Exit.DONE)
    return worst(_show(provisioned, output), ended)
