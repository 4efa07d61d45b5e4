"""One object of a plan, step by step: what the next cycle would do with it, and why."""

from __future__ import annotations

from typing import Any

from cloudforest.model.messages import Lookup
from cloudforest.provisioning.explaining.explain import explain
from cloudforest.provisioning.foreseeing.scratch import foreseen
from cloudforest.provisioning.run import Run


async def explain_foreseen(run: Run, lookup: Lookup, *, digest: str) -> dict[str, Any]:
    """Explain an object beside the others that the cycle would see.

    So whom it refers to, and what a guard would hold back, is told as it would be.
    """
    async with foreseen(run, digest) as (scratch, _):
        return await explain(scratch, lookup)
