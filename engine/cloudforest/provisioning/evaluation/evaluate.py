"""Evaluates a whole job: objects, references, memberships, and the guard."""

from __future__ import annotations

from dataclasses import dataclass

from cloudforest.base.errors import CloudforestError
from cloudforest.model.stages import REKEYS, ExceededBudget
from cloudforest.provisioning.evaluation.batch import evaluate_batch
from cloudforest.provisioning.evaluation.guard import (
    MEMBER_BUDGETS,
    OBJECT_BUDGETS,
    record_remaining_budget,
)
from cloudforest.provisioning.evaluation.members import evaluate_members
from cloudforest.provisioning.evaluation.references import evaluate_references
from cloudforest.provisioning.evaluation.stages import apply_guard, drop_superseded
from cloudforest.provisioning.evaluation.state import (
    Evaluation,
    compute_settled_digest,
    load_stage_decisions,
    save_evaluation_log,
)
from cloudforest.provisioning.mapper import build_mappers
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import CycleContext

BATCH = 500


@dataclass(frozen=True)
class EvaluationResult:
    """The number of requests in the outbox, and what the guard blocks.

    `exceeded` are the budgets that this cycle exceeds, and the stages that still wait.
    """

    requests: int
    exceeded: tuple[ExceededBudget, ...]


async def _evaluate_unsettled(evaluation: Evaluation) -> None:
    """Evaluate the objects that are not settled; the others need nothing."""
    context = evaluation.context
    in_scope, unchanged, due = await context.store.begin_evaluation(
        context.key_name, context.job.target, evaluation.settled_digest
    )
    context.counts.in_scope, context.counts.unchanged = in_scope, unchanged
    seen, after = unchanged, ""
    context.progress("evaluate", seen, unchanged + due)
    while sources := await context.store.list_source_objects(
        context.key_name,
        context.job.target,
        after,
        BATCH,
        settled=evaluation.settled_digest,
    ):
        await evaluate_batch(evaluation, sources)
        await save_evaluation_log(evaluation)
        seen += len(sources)
        context.progress("evaluate", seen, unchanged + due)
        after = sources[-1].object_guid


async def _evaluate_one_object(evaluation: Evaluation, guid: str) -> None:
    context = evaluation.context
    source = await context.store.load_source_object(context.key_name, guid)
    await evaluate_batch(evaluation, [source] if source else [])
    await save_evaluation_log(evaluation)


async def _evaluate_all(evaluation: Evaluation) -> tuple[ExceededBudget, ...]:
    """Stage objects first: references and members must not rely on staged ones."""
    context = evaluation.context
    if context.only_object is None:
        await _evaluate_unsettled(evaluation)
    else:
        await _evaluate_one_object(evaluation, context.only_object)
    exceeded = await apply_guard(evaluation, OBJECT_BUDGETS)
    await record_remaining_budget(evaluation, REKEYS)
    await evaluate_references(evaluation)
    await evaluate_members(evaluation)
    exceeded += await apply_guard(evaluation, MEMBER_BUDGETS)
    await drop_superseded(evaluation)
    await context.store.drop_stale_effects(
        context.key_name, context.cycle_id, only_object=context.only_object
    )
    return exceeded


def _open_stage_budgets(evaluation: Evaluation) -> tuple[ExceededBudget, ...]:
    """Return the stages of earlier cycles, each with its count of waiting effects."""
    stages = evaluation.stage_decisions.open_stages
    return tuple(
        ExceededBudget(
            job=evaluation.context.job.name,
            guard=stages[digest].guard,
            effects=effects,
            limit=stages[digest].limit,
            total=effects,
            digest=digest,
        )
        for digest, effects in evaluation.staged_counts.items()
    )


async def _has_free_creates(context: CycleContext) -> bool:
    """Tell whether this first cycle may create objects without a limit.

    A `creates` budget with `max: 0` forbids creations, also in the first cycle.
    """
    budget = context.job.guard.get("creates")
    forbidden = budget is not None and budget.max == 0
    return not forbidden and not await context.store.has_finished_cycle(
        context.job.name, context.job.target
    )


async def evaluate_job(context: CycleContext) -> EvaluationResult:
    """Fill the outbox with the writes of this cycle; send nothing to the target."""
    now = context.clock()
    evaluation = Evaluation(
        context=context,
        mappers=build_mappers(context.program, now),
        matcher=Matcher(context),
        now=now,
        settled_digest=compute_settled_digest(context),
        stage_decisions=await load_stage_decisions(context),
        has_free_creates=await _has_free_creates(context),
    )
    try:
        exceeded = await _evaluate_all(evaluation)
    except CloudforestError:
        context.counts.forget_writes()
        raise
    finally:
        await context.store.clear_snapshot(context.snapshot_key)
    return EvaluationResult(
        evaluation.requests, (*exceeded, *_open_stage_budgets(evaluation))
    )
