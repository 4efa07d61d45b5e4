"""A job's next cycle on rows of its own, up to where it would write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from cloudforest.provisioning.evaluating.evaluate import Evaluated, evaluate
from cloudforest.provisioning.evaluating.guarding.releasing import with_allowances
from cloudforest.provisioning.importing.importing import import_changes, starting_point
from cloudforest.provisioning.run import Run


@asynccontextmanager
async def foreseen(run: Run, digest: str) -> AsyncIterator[tuple[Run, Evaluated]]:
    """Import and evaluate a job on scratch rows named for the plan and this run.

    The agents are asked what the cycle would ask: what changed since the job's
    watermark, or everything if its scope or its attributes are others. The target is
    only read. The rows are dropped, whatever happens.
    """
    scratch = replace(run, rows=f"plan:{digest[:32]}:{run.id}:{run.job.name}"[:200])
    await run.store.copy_job(run.job.name, scratch.rows)
    try:
        scratch = await with_allowances(scratch)
        await import_changes(scratch, await starting_point(run))
        yield scratch, await evaluate(scratch)
    finally:
        await run.store.drop_job(scratch.rows)
