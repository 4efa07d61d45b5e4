"""One cycle of a job: import, evaluate, export."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from cloudforest.base.clock import Clock
from cloudforest.base.errors import (
    CloudforestError,
    LockedOut,
    TargetUnavailable,
    Unavailable,
)
from cloudforest.model.cycles import Counts, Cycle, CycleFault, CycleState, Watermark
from cloudforest.model.jobs import live_key
from cloudforest.model.ports.store import HealthUpdate, ProvisioningStore
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.evaluation.evaluate import evaluate_job
from cloudforest.provisioning.evaluation.stages import with_allowances
from cloudforest.provisioning.evaluation.state import compute_settled_digest
from cloudforest.provisioning.export.export import export_effects
from cloudforest.provisioning.imports import import_changes, load_start_watermark
from cloudforest.provisioning.quarantine import compute_registered_digest, update_health
from cloudforest.provisioning.run import (
    CycleContext,
    JobLocks,
)


def _new_cycle(id_: str, job: Job, start: Watermark | None, now: datetime) -> Cycle:
    return Cycle(
        id=id_,
        job=job.name,
        target=job.target,
        kind="incremental" if start else "initial",
        state="running",
        started=now,
    )


def _final_state(counts: Counts) -> CycleState:
    """Return how a cycle ended; it is blocked while effects wait for a decision."""
    if counts.staged:
        return "blocked"
    return "partial" if counts.escrow else "succeeded"


def _classify_fault(error: CloudforestError) -> CycleFault:
    match error:
        case LockedOut():
            return "credential"
        case TargetUnavailable():
            return "target"
        case Unavailable():
            return "unreachable"
        case _:
            return "configuration"


def _as_failed(cycle: Cycle, error: CloudforestError) -> Cycle:
    return replace(
        cycle,
        state="failed",
        error=str(error),
        unreachable=isinstance(error, Unavailable),
        fault=_classify_fault(error),
    )


def _health_update(registration: Registration, job: Job, cycle: Cycle) -> HealthUpdate:
    return partial(
        update_health,
        cycle=cycle,
        registered=compute_registered_digest(registration, job),
        jitter=random.random(),  # noqa: S311 - it only spreads the tries
    )


async def _run_phases(
    context: CycleContext,
    start: Watermark | None,
    cycle: Cycle,
    target_lock: asyncio.Lock,
) -> Cycle:
    """Run the cycle's phases and return it as it ended; an error ends it."""
    before = context.target.requests
    try:
        context = await with_allowances(context)
        cycle = replace(cycle, kind=await import_changes(context, start))
        async with target_lock:
            await evaluate_job(context)
            await export_effects(context)
            await context.store.settle_written(
                context.key_name, context.cycle_id, compute_settled_digest(context)
            )
        cycle = replace(cycle, state=_final_state(context.counts))
    except CloudforestError as error:
        cycle = _as_failed(cycle, error)
    return replace(
        cycle,
        finished=context.clock(),
        counts=context.counts,
        attempts=context.attempts,
        requests=context.target.requests - before,
    )


async def run_cycle(
    context: CycleContext, registration: Registration, locks: JobLocks
) -> Cycle:
    """Run one cycle of a job to its end; raises Busy while another one runs.

    A cycle that cannot finish is `failed`. What it imported and wrote stays, and the
    next cycle continues from there. Cycles that write to the same target take turns.
    """
    job, store = context.job, context.store
    with locks.hold_job(job.name):
        start = await load_start_watermark(context)
        cycle = _new_cycle(context.cycle_id, job, start, context.clock())
        await store.start_cycle(cycle)
        cycle = await _run_phases(context, start, cycle, locks.target_lock(job.target))
        await store.finish_cycle(cycle, _health_update(registration, job, cycle))
        return cycle


async def record_failure(
    job: Job,
    registration: Registration,
    error: CloudforestError,
    *,
    store: ProvisioningStore,
    clock: Clock,
) -> Cycle:
    """Store and return the cycle of a job that could not even start."""
    now = clock()
    start = await store.load_watermark(live_key(job.name))
    cycle = _new_cycle(uuid.uuid4().hex, job, start, now)
    cycle = _as_failed(replace(cycle, finished=now), error)
    await store.finish_cycle(cycle, _health_update(registration, job, cycle))
    return cycle
