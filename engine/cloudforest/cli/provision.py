"""`provision`: one object, written now."""

from __future__ import annotations

from cloudforest.cli import options
from cloudforest.cli.boundary import ExitCode, pick_exit_code
from cloudforest.cli.connection import connect_to_state
from cloudforest.cli.explain import parse_lookup, print_explanation
from cloudforest.cli.options import TEXT

_CODE_BY_RESULT = {"staged": ExitCode.BLOCKED, "escrow": ExitCode.ESCROW}


@options.async_command
async def provision(
    job: options.Job,
    subject: options.Object,
    *,
    state: options.State = None,
    output: options.Format = TEXT,
) -> int:
    async with connect_to_state(state, agents=True) as client:
        explanation = await client.provision(job, parse_lookup(subject))
    code = _CODE_BY_RESULT.get(explanation["steps"][-1]["result"], ExitCode.DONE)
    return pick_exit_code(print_explanation(explanation, output), code)
