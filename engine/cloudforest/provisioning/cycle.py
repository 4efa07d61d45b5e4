"""One cycle of a job: import, evaluate, export; of all objects, or of one on demand."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudforest.base.clock import Clock
from cloudforest.base.errors import (
    CloudforestError,
    LockedOut,
    TargetUnavailable,
    Unavailable,
)
from cloudforest.model.cycles import Cycle, CycleFault, CycleState, LogQuery, Watermark
from cloudforest.model.jobs import live_key
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.evaluation.evaluate import evaluate_job
from cloudforest.provisioning.evaluation.guard import with_allowances
from cloudforest.provisioning.explanation.explain import (
    LookupResult,
    explain_steps,
    find_object,
    list_all_attributes,
)
from cloudforest.provisioning.explanation.steps import (
    ExplanationStep,
    build_explanation,
)
from cloudforest.provisioning.export.export import export_effects
from cloudforest.provisioning.imports import import_changes, load_start_watermark
from cloudforest.provisioning.quarantine import compute_registered_digest, update_health
from cloudforest.provisioning.run import CycleContext, JobLocks

WHOLE_LOG = {"first": 1, "last": 10**18, "limit": 10_000}
ANSWER_FIELDS = (
    *("action", "status", "httpStatus", "resource"),
    *("changes", "members", "reason", "milliseconds"),
)
"""The fields of a log entry that provisioning on demand shows."""


def _new_cycle(id_: str, job: Job, start: Watermark | None, now: datetime) -> Cycle:
    return Cycle(
        id=id_,
        job=job.name,
        target=job.target,
        kind="incremental" if start else "initial",
        state="running",
        started=now,
    )


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


async def _finish_cycle(
    store: ProvisioningStore, registration: Registration, job: Job, cycle: Cycle
) -> Cycle:
    """Store the cycle and the health of its job; return the cycle."""
    update = partial(
        update_health,
        cycle=cycle,
        registered=compute_registered_digest(registration, job),
        jitter=random.random(),  # noqa: S311 - it only spreads the tries
    )
    await store.finish_cycle(cycle, update)
    return cycle


async def _write_changes(context: CycleContext) -> None:
    """Evaluate and export; the caller holds the lock of the target."""
    await evaluate_job(context)
    await export_effects(context)
    await context.store.settle_written(
        context.key_name, context.cycle_id, context.settled_digest
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
            await _write_changes(context)
        state: CycleState = "partial" if context.counts.escrow else "succeeded"
        # Staged effects wait for a decision.
        cycle = replace(cycle, state="blocked" if context.counts.staged else state)
    except CloudforestError as error:
        cycle = _as_failed(cycle, error)
    return replace(
        cycle,
        finished=context.clock(),
        counts=context.counts,
        attempts=context.progress.attempts,
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
        return await _finish_cycle(store, registration, job, cycle)


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
    cycle = replace(_new_cycle(uuid.uuid4().hex, job, start, now), finished=now)
    return await _finish_cycle(store, registration, job, _as_failed(cycle, error))


async def _save_lookup_result(context: CycleContext, found: LookupResult) -> None:
    """Store the directory's answer, as a cycle does for an object that it reads."""
    generation = await context.store.begin_import(context.key_name)
    await context.store.save_answers(context.key_name, generation, found.records)
    await context.store.close_inquiries(
        context.key_name,
        generation,
        [found.record.id],
        complete=found.complete,
        proven_clear=list_all_attributes(context),
    )


async def _build_act_step(
    context: CycleContext, explained: ExplanationStep | None
) -> ExplanationStep:
    """Build the `act` step from the log entries of this cycle."""
    logged = await context.store.list_log_entries(
        LogQuery(cycle=context.cycle_id), **WHOLE_LOG
    )
    entries = [msgspec.to_builtins(entry) for _, entry in logged]
    answers = [{name: each[name] for name in ANSWER_FIELDS} for each in entries]
    if context.counts.staged:
        return ExplanationStep("staged", {"answers": answers})
    if context.counts.escrow:
        return ExplanationStep("escrow", {"answers": answers})
    if answers:
        return ExplanationStep(answers[0]["action"], {"answers": answers})
    still = explained if explained and explained.result == "nothing" else None
    because = still and still.detail["because"]
    return ExplanationStep("nothing", {"because": because, "answers": []})


async def provision_on_demand(
    context: CycleContext, lookup: Lookup, locks: JobLocks
) -> dict[str, Any]:
    """Provision one object; return the steps of `explain` with the target's answers.

    The guard counts its effects together with those of the job's cycles. The log shows
    it under its own cycle. Raises Busy while a cycle of the job runs.
    """
    with locks.hold_job(context.job.name):
        found = await find_object(context, lookup)
        if found is None:
            return build_explanation(lookup.value, await explain_steps(context, found))
        alone = context.for_object(found.record.id)
        steps = await explain_steps(alone, found)
        await _save_lookup_result(alone, found)
        async with locks.target_lock(context.job.target):
            await _write_changes(await with_allowances(alone))
        act = await _build_act_step(alone, steps.get("act"))
        return build_explanation(found.record.id, steps | {"act": act})
