"""Provision on demand: a cycle of one object, without the others of its job."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudforest.model.cycles import LogEntry, LogQuery
from cloudforest.model.messages import Lookup
from cloudforest.provisioning.evaluation.evaluate import evaluate_job
from cloudforest.provisioning.evaluation.stages import with_allowances
from cloudforest.provisioning.evaluation.state import compute_settled_digest
from cloudforest.provisioning.explanation.explain import explain_steps
from cloudforest.provisioning.explanation.lookup import (
    LookupResult,
    find_object,
    list_all_attributes,
)
from cloudforest.provisioning.explanation.steps import (
    ExplanationStep,
    build_explanation,
)
from cloudforest.provisioning.export.export import export_effects
from cloudforest.provisioning.run import CycleContext, JobLocks

WHOLE_LOG = {"first": 1, "last": 10**18, "limit": 10_000}


async def _save_lookup_result(context: CycleContext, found: LookupResult) -> None:
    """Store the directory's answer, as a cycle does for an object that it reads."""
    id_ = found.record.id
    generation = await context.store.begin_import(context.key_name)
    await context.store.save_answers(context.key_name, generation, found.records)
    await context.store.close_inquiries(
        context.key_name,
        generation,
        [id_],
        complete=found.complete,
        proven_clear=list_all_attributes(context),
    )


def _log_entry_data(entry: LogEntry) -> dict[str, Any]:
    fields = msgspec.to_builtins(entry)
    names = ("action", "status", "httpStatus", "resource", "changes", "members")
    return {name: fields[name] for name in (*names, "reason", "milliseconds")}


async def _build_act_step(
    context: CycleContext, explained: ExplanationStep | None
) -> ExplanationStep:
    """Build the `act` step from the log entries of this cycle."""
    logged = await context.store.list_log_entries(
        LogQuery(cycle=context.cycle_id), **WHOLE_LOG
    )
    answers = [_log_entry_data(entry) for _, entry in logged]
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
            alone = await with_allowances(alone)
            await evaluate_job(alone)
            await export_effects(alone)
            await context.store.settle_written(
                context.key_name, context.cycle_id, compute_settled_digest(context)
            )
        return build_explanation(
            found.record.id,
            steps | {"act": await _build_act_step(alone, steps.get("act"))},
        )
