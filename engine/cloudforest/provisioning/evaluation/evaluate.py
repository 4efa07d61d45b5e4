"""Evaluation of a whole job: objects, references, memberships, and the guard."""

from __future__ import annotations

from dataclasses import dataclass

from cloudforest.base.errors import CloudforestError
from cloudforest.model.cycles import forget_writes
from cloudforest.model.stages import REKEYS, Tripped
from cloudforest.provisioning.evaluation.batch import evaluate_objects
from cloudforest.provisioning.evaluation.guard import OF_MEMBERS, OF_OBJECTS, leave_room
from cloudforest.provisioning.evaluation.members import evaluate_members
from cloudforest.provisioning.evaluation.references import evaluate_references
from cloudforest.provisioning.evaluation.stages import drop_moot, guard
from cloudforest.provisioning.evaluation.state import (
    Evaluation,
    settled_digest,
    standing,
    store_log,
)
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import Run

BATCH = 500


@dataclass(frozen=True)
class Evaluated:
    """What the outbox now holds: so many writes, and what the guard said.

    `trips` are the budgets that this cycle exceeds, and the stages that wait.
    """

    requests: int
    trips: tuple[Tripped, ...]


async def _evaluate_rows(evaluation: Evaluation) -> None:
    """Look at the rows that are not settled; the others need nothing."""
    run = evaluation.run
    in_scope, unchanged, due = await run.store.begin_evaluation(
        run.rows, run.job.target, evaluation.digest
    )
    run.counts.in_scope, run.counts.unchanged = in_scope, unchanged
    seen, after = unchanged, ""
    run.progress("evaluate", seen, unchanged + due)
    while rows := await run.store.sources(
        run.rows, run.job.target, after, BATCH, settled=evaluation.digest
    ):
        await evaluate_objects(evaluation, rows)
        await store_log(evaluation)
        seen += len(rows)
        run.progress("evaluate", seen, unchanged + due)
        after = rows[-1].id


async def _evaluate_only(evaluation: Evaluation, id_: str) -> None:
    run = evaluation.run
    row = await run.store.source(run.rows, id_)
    await evaluate_objects(evaluation, [row] if row else [])
    await store_log(evaluation)


async def _evaluate(evaluation: Evaluation) -> tuple[Tripped, ...]:
    """Stage objects first: references and members do without those held back."""
    run = evaluation.run
    if run.only is None:
        await _evaluate_rows(evaluation)
    else:
        await _evaluate_only(evaluation, run.only)
    trips = await guard(evaluation, OF_OBJECTS)
    await leave_room(evaluation, REKEYS)
    await evaluate_references(evaluation)
    await evaluate_members(evaluation)
    trips += await guard(evaluation, OF_MEMBERS)
    await drop_moot(evaluation)
    await run.store.drop_effects(run.rows, run.id, only=run.only)
    return trips


def _waiting(evaluation: Evaluation) -> tuple[Tripped, ...]:
    """Return the stages of earlier cycles with as many effects as still wait there."""
    stages = evaluation.standing.waiting
    return tuple(
        Tripped(
            job=evaluation.run.job.name,
            guard=stages[id_].guard,
            effects=effects,
            limit=stages[id_].limit,
            total=effects,
            digest=id_,
        )
        for id_, effects in evaluation.staged.items()
    )


async def _creates_freely(run: Run) -> bool:
    """Tell whether it is a first cycle, of a job that is not to create nobody."""
    budget = run.job.guard.get("creates")
    never = budget is not None and budget.max == 0
    return not never and not await run.store.has_finished(run.job.name, run.job.target)


async def evaluate(run: Run) -> Evaluated:
    """Fill the outbox with what this cycle is to write; write nothing to the target."""
    now = run.clock()
    evaluation = Evaluation(
        run=run,
        mappers=mappers(run.program, now),
        matcher=Matcher(run),
        now=now,
        digest=settled_digest(run),
        standing=await standing(run),
        creates_freely=await _creates_freely(run),
    )
    try:
        trips = await _evaluate(evaluation)
    except CloudforestError:
        forget_writes(run.counts)
        raise
    finally:
        await run.store.clear_snapshot(run.picture)
    return Evaluated(evaluation.requests, (*trips, *_waiting(evaluation)))
