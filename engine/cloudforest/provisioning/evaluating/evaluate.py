"""Evaluation of a whole job: objects, references, memberships, and the guard."""

from __future__ import annotations

from dataclasses import dataclass

from cloudforest.base.errors import CloudforestError
from cloudforest.provisioning.evaluating.evaluation import (
    Evaluation,
    forget_writes,
    settled_digest,
)
from cloudforest.provisioning.evaluating.guarding import Tripped, check, stage
from cloudforest.provisioning.evaluating.members import evaluate_members
from cloudforest.provisioning.evaluating.objects import evaluate_objects
from cloudforest.provisioning.evaluating.references import evaluate_references
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import Run

BATCH = 500


@dataclass(frozen=True)
class Evaluated:
    """What the outbox now holds: so many writes, and what the guard said."""

    requests: int
    trips: tuple[Tripped, ...]


async def _store_log(evaluation: Evaluation) -> None:
    """Store what is to be logged; a plan leaves no trace."""
    if evaluation.log and evaluation.run.rows == evaluation.run.job.name:
        await evaluation.run.store.log(evaluation.log)
    evaluation.log = []


async def _evaluate_rows(evaluation: Evaluation) -> None:
    """Look at the rows that are not settled; the others need nothing."""
    run = evaluation.run
    run.counts.in_scope, run.counts.unchanged = await run.store.begin_evaluation(
        run.rows, run.job.target, evaluation.digest
    )
    seen, after = run.counts.unchanged, ""
    while rows := await run.store.sources(
        run.rows, run.job.target, after, BATCH, settled=evaluation.digest
    ):
        await evaluate_objects(evaluation, rows)
        await _store_log(evaluation)
        seen += len(rows)
        run.progress("evaluate", seen)
        after = rows[-1].id


async def _evaluate(evaluation: Evaluation) -> tuple[Tripped, ...]:
    """Stage objects first: references and members do without those held back."""
    run = evaluation.run
    await _evaluate_rows(evaluation)
    await stage(evaluation, await check(run, evaluation.tally))
    await evaluate_references(evaluation)
    await evaluate_members(evaluation)
    await run.store.drop_effects(run.rows, run.id)
    trips = await check(run, evaluation.tally)
    await stage(evaluation, trips)
    return trips


async def evaluate(run: Run) -> Evaluated:
    """Fill the outbox with what this cycle is to write; write nothing to the target."""
    evaluation = Evaluation(
        run=run,
        mappers=mappers(run.program),
        matcher=Matcher(run),
        now=run.clock(),
        digest=settled_digest(run),
    )
    try:
        trips = await _evaluate(evaluation)
    except CloudforestError:
        forget_writes(run.counts)
        raise
    finally:
        await run.store.clear_snapshot(run.picture)
    return Evaluated(requests=evaluation.requests, trips=trips)
