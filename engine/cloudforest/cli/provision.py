"""Command."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudforest.cli.boundary import ExitCode, pick_exit_code
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.explain import ObjectArgument, _print_explanation, parse_lookup
from cloudforest.cli.job import JobArgument
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    state_folder,
)

_CODE_BY_RESULT = {"staged": ExitCode.BLOCKED, "escrow": ExitCode.ESCROW}


def provision(
    job: JobArgument,
    subject: ObjectArgument,
    *,
    state: StateOption = None,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Provision one object now: the same steps, and the target's answer."""
    return asyncio.run(_provision(job, subject, state, output))


async def _provision(
    job: str, subject: str, state: Path | None, output: OutputFormat
) -> int:
    async with connect_to_state(state_folder(state), agents=True) as client:
        provisioned = await client.provision(job, parse_lookup(subject))
    ended = _CODE_BY_RESULT.get(provisioned["steps"][-1]["result"], ExitCode.DONE)
    return pick_exit_code(_print_explanation(provisioned, output), ended)
