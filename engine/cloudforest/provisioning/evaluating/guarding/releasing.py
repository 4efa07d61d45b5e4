"""Released stages: read again first; what is no longer wanted is moot."""

from __future__ import annotations

from dataclasses import replace

from cloudforest.model.provisioning import LogEntry, Stage, StagedEffect
from cloudforest.provisioning.escrow import members_named
from cloudforest.provisioning.evaluating.evaluation import Evaluation
from cloudforest.provisioning.run import Run

BATCH = 500
MOOT = "moot: it was released, and is no longer wanted as it was staged."


async def _ask_again(run: Run, stage: Stage) -> None:
    """Have the objects of a stage read before anything of it is written."""
    after = ""
    while held := await run.store.staged_effects(stage.id, after, BATCH):
        ids = {id_ for each in held for id_ in (each.id, *members_named(each.key))}
        await run.store.add_inquiries(run.rows, sorted(ids))
        after = held[-1].key


async def with_allowances(run: Run) -> Run:
    """Return the run with the stages that may be written; have their objects read."""
    given = await run.store.allowances(run.clock())
    allowed = frozenset(each.stage for each in given)
    if allowed and not run.is_scratch and run.only is None:
        for stage in await run.store.stages(run.job.name):
            if stage.id in allowed:
                await _ask_again(run, stage)
    return replace(run, allowed=allowed)


def _entry(evaluation: Evaluation, stage: Stage, each: StagedEffect) -> LogEntry:
    return LogEntry(
        time=evaluation.now,
        cycle=evaluation.run.id,
        job=stage.job,
        object=each.id,
        name=each.id,
        action=each.action,
        status="skipped",
        reason=MOOT,
    )


async def drop_moot(evaluation: Evaluation) -> None:
    """Log and forget what was released and this cycle does not want any more."""
    run = evaluation.run
    if run.is_scratch or run.only is not None:
        return
    for id_, stage in evaluation.standing.waiting.items():
        while id_ in run.allowed and (
            moot := await run.store.unwanted(run.job.name, run.id, id_, BATCH)
        ):
            await run.store.forget_staged(
                id_,
                [each.key for each in moot],
                [_entry(evaluation, stage, each) for each in moot],
            )
