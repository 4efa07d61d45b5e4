"""Provisioning on demand: one object's cycle, without the others of its job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from cloudforest.model.cycles import LogEntry, LogQuery
from cloudforest.model.messages import Lookup
from cloudforest.provisioning.evaluation.evaluate import evaluate
from cloudforest.provisioning.evaluation.stages import with_allowances
from cloudforest.provisioning.evaluation.state import settled_digest
from cloudforest.provisioning.explanation.explain import steps_of
from cloudforest.provisioning.explanation.lookup import Found, every_attribute, find
from cloudforest.provisioning.explanation.steps import Step, told
from cloudforest.provisioning.export.export import export
from cloudforest.provisioning.run import Run, Turns

NUMBERS = {"first": 1, "last": 10**18, "limit": 10_000}


async def _keep(run: Run, found: Found) -> None:
    """Store what the directory says now, as a cycle does that asks for an object."""
    id_ = found.record.id
    generation = await run.store.begin_import(run.rows, run.id)
    await run.store.save_answers(run.rows, generation, found.records)
    await run.store.finish_asking(
        run.rows,
        generation,
        [id_],
        complete=found.complete,
        proved=every_attribute(run),
    )


def _answer(entry: LogEntry) -> dict[str, Any]:
    fields = msgspec.to_builtins(entry)
    names = ("action", "status", "httpStatus", "resource", "changes", "members")
    return {name: fields[name] for name in (*names, "reason", "milliseconds")}


async def _acted(run: Run, foreseen: Step | None) -> Step:
    """Say what was written, and what became of it, by the log of this cycle."""
    logged = await run.store.logs(LogQuery(cycle=run.id), **NUMBERS)
    answers = [_answer(entry) for _, entry in logged]
    if run.counts.staged:
        return Step("staged", {"answers": answers})
    if run.counts.escrow:
        return Step("escrow", {"answers": answers})
    if answers:
        return Step(answers[0]["action"], {"answers": answers})
    still = foreseen if foreseen and foreseen.result == "nothing" else None
    because = still and still.detail["because"]
    return Step("nothing", {"because": because, "answers": []})


async def provision(run: Run, lookup: Lookup, turns: Turns) -> dict[str, Any]:
    """Return the steps of `explain`, the last one with the target's answers.

    The guard counts it with what the job has written; the log has it under a cycle of
    its own. Raises Busy while a cycle of the job runs.
    """
    with turns.take(run.job.name):
        found = await find(run, lookup)
        if found is None:
            return told(lookup.value, await steps_of(run, found))
        alone = replace(run, only=found.record.id)
        steps = await steps_of(alone, found)
        await _keep(alone, found)
        async with turns.at(run.job.target):
            alone = await with_allowances(alone)
            await evaluate(alone)
            await export(alone)
            await run.store.settle_written(run.rows, run.id, settled_digest(run))
        return told(
            found.record.id, steps | {"act": await _acted(alone, steps.get("act"))}
        )
