"""Preview a job's next cycle: import and evaluate on scratch data, without export."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cloudforest.base.values import canonical_digest as digest_of
from cloudforest.model.cycles import Breakdown, Counts, CycleKind
from cloudforest.model.jobs import scratch_key
from cloudforest.model.messages import Lookup
from cloudforest.model.stages import ExceededBudget
from cloudforest.provisioning.evaluation.evaluate import EvaluationResult, evaluate_job
from cloudforest.provisioning.evaluation.guard import OBJECT_BUDGETS
from cloudforest.provisioning.evaluation.stages import (
    compute_outbox_digest,
    with_allowances,
)
from cloudforest.provisioning.explanation.explain import explain_object
from cloudforest.provisioning.impact_breakdown import compute_breakdown
from cloudforest.provisioning.imports import import_changes, load_start_watermark
from cloudforest.provisioning.run import CycleContext


@asynccontextmanager
async def evaluate_on_scratch(
    context: CycleContext, plan_digest: str
) -> AsyncIterator[tuple[CycleContext, EvaluationResult]]:
    """Import and evaluate a job on scratch data, which is dropped in any case.

    The agents get the same requests as in the real cycle: for the changes since the
    job's watermark, or for everything if scope or attributes differ. The target is only
    read.
    """
    key = scratch_key(context.job.name, plan_digest, context.cycle_id)
    await context.store.copy_job_data(context.key_name, key)
    try:
        scratch = await with_allowances(context.on_scratch(key))
        await import_changes(scratch, await load_start_watermark(context))
        yield scratch, await evaluate_job(scratch)
    finally:
        await context.store.drop_job_data(key)


async def find_exceeded_later(
    scratch: CycleContext, evaluated: EvaluationResult
) -> tuple[ExceededBudget, ...]:
    """Return the budgets that would be exceeded once the object stages are allowed.

    A leaver's memberships are removed after its disable or deletion. While that is
    staged no cycle counts them, so allowing the stage can lead to another one. Call
    this last: it changes the outbox.
    """
    known = {each.digest for each in evaluated.exceeded}
    staged = {
        each.digest for each in evaluated.exceeded if each.guard in OBJECT_BUDGETS
    }
    if not staged:
        return ()
    next_cycle = scratch.as_new_cycle().with_allowed_stages(
        scratch.allowed_stages | staged
    )
    later = await evaluate_job(next_cycle)
    return tuple(each for each in later.exceeded if each.digest not in known)


@dataclass(frozen=True)
class Impact:
    """What the next cycle would do.

    `requests` is the number of writes that the target would get, `outbox_digest` covers
    all of them. `exceeded_later` are the budgets exceeded once the stages are allowed.
    """

    cycle: CycleKind
    counts: Counts
    requests: int
    exceeded: tuple[ExceededBudget, ...]
    outbox_digest: str
    breakdown: Breakdown
    exceeded_later: tuple[ExceededBudget, ...] = ()


async def compute_impact(
    context: CycleContext, *, plan_digest: str, with_names: bool = False
) -> Impact:
    """Evaluate the next cycle; `with_names` adds the names of some affected objects."""
    start = await load_start_watermark(context)
    async with evaluate_on_scratch(context, plan_digest) as (scratch, evaluated):
        stages = [each.digest for each in evaluated.exceeded]
        effects = digest_of([await compute_outbox_digest(scratch), stages])
        breakdown = await compute_breakdown(scratch, with_names=with_names)
        later = await find_exceeded_later(scratch, evaluated)
    return Impact(
        cycle="initial" if start is None else "incremental",
        counts=scratch.counts,
        requests=evaluated.requests,
        exceeded=evaluated.exceeded,
        outbox_digest=effects,
        breakdown=breakdown,
        exceeded_later=later,
    )


async def explain_next_cycle(
    context: CycleContext, lookup: Lookup, *, digest: str
) -> dict[str, Any]:
    """Explain an object within the whole next cycle.

    So its references and the guard's decisions are those of the real cycle.
    """
    async with evaluate_on_scratch(context, digest) as (scratch, _):
        return await explain_object(scratch, lookup)
