"""One cycle of a job: import, evaluate, export."""

from __future__ import annotations

import asyncio
import random
import uuid
from functools import partial

from msgspec.structs import replace

from cloudforest.base.clock import Clock
from cloudforest.base.errors import (
    CloudforestError,
    LockedOut,
    TargetUnavailable,
    Unavailable,
)
from cloudforest.model.cycles import Counts, Cycle, CycleState, Fault, Watermark
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.store import Judge, ProvisioningStore
from cloudforest.model.ports.target import Target
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.evaluation.evaluate import evaluate
from cloudforest.provisioning.evaluation.stages import with_allowances
from cloudforest.provisioning.evaluation.state import settled_digest
from cloudforest.provisioning.export.export import export
from cloudforest.provisioning.imports import import_changes, starting_point
from cloudforest.provisioning.quarantine import after_cycle, registered_digest
from cloudforest.provisioning.run import Progress, Run, Turns, pinned, sharing, silent


def _state(counts: Counts) -> CycleState:
    """Name the end: a job is blocked while effects wait for somebody's decision."""
    if counts.staged:
        return "blocked"
    return "partial" if counts.escrow else "succeeded"


def _fault(error: CloudforestError) -> Fault:
    match error:
        case LockedOut():
            return "credential"
        case TargetUnavailable():
            return "target"
        case Unavailable():
            return "unreachable"
        case _:
            return "configuration"


def _failed(cycle: Cycle, error: CloudforestError) -> Cycle:
    return replace(
        cycle,
        state="failed",
        error=str(error),
        unreachable=isinstance(error, Unavailable),
        fault=_fault(error),
    )


def _judge(registration: Registration, job: Job, cycle: Cycle) -> Judge:
    return partial(
        after_cycle,
        cycle=cycle,
        registered=registered_digest(registration, job),
        jitter=random.random(),  # noqa: S311 - it spreads the tries, no more
    )


async def _go(
    run: Run, start: Watermark | None, cycle: Cycle, turn: asyncio.Lock
) -> Cycle:
    """Return the cycle as it ended; an operation that did not happen ends it."""
    before = run.target.requests
    try:
        run = await with_allowances(run)
        cycle = replace(cycle, kind=await import_changes(run, start))
        async with turn:
            await evaluate(run)
            await export(run)
            await run.store.settle_written(run.rows, run.id, settled_digest(run))
        cycle = replace(cycle, state=_state(run.counts))
    except CloudforestError as error:
        cycle = _failed(cycle, error)
    return replace(
        cycle,
        finished=run.clock(),
        counts=run.counts,
        attempts=run.attempts,
        requests=run.target.requests - before,
    )


async def run_cycle(  # noqa: PLR0913 - the job, its ports, and who runs
    job: str,
    registration: Registration,
    *,
    store: ProvisioningStore,
    bus: AgentBus,
    target: Target,
    clock: Clock,
    turns: Turns,
    progress: Progress = silent,
) -> Cycle:
    """Run one cycle of a job to its end; raises Busy when one is under way.

    A cycle that could not go on is `failed`: what was imported and written stays, and
    the next one goes on from there. Cycles that write to one target take turns.
    """
    pinned_job, program, profile = pinned(registration, job)
    run = Run(
        job=pinned_job,
        program=program,
        profile=profile,
        store=store,
        bus=bus,
        target=target,
        clock=clock,
        rows=job,
        progress=progress,
        others=sharing(registration, pinned_job),
    )
    with turns.take(job):
        start = await starting_point(run)
        cycle = Cycle(
            id=run.id,
            job=job,
            target=pinned_job.target,
            kind="incremental" if start else "initial",
            state="running",
            started=clock(),
        )
        await store.start_cycle(cycle)
        cycle = await _go(run, start, cycle, turns.at(pinned_job.target))
        await store.finish_cycle(cycle, _judge(registration, pinned_job, cycle))
        return cycle


async def record_failure(
    job: Job,
    registration: Registration,
    error: CloudforestError,
    *,
    store: ProvisioningStore,
    clock: Clock,
) -> Cycle:
    """Store, and return, the cycle that could not even start."""
    now = clock()
    cycle = Cycle(
        id=uuid.uuid4().hex,
        job=job.name,
        target=job.target,
        kind="incremental" if await store.watermark(job.name) else "initial",
        state="running",
        started=now,
        finished=now,
    )
    cycle = _failed(cycle, error)
    await store.finish_cycle(cycle, _judge(registration, job, cycle))
    return cycle
