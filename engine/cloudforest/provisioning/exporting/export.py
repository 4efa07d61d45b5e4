"""Export, phase by phase: writes, disables, conflicts once more, then references."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from cloudforest.model.provisioning import (
    PHASE_DEPROVISION,
    PHASE_REFERENCE,
    PHASE_WRITE,
    Counts,
    Effect,
    LogEntry,
    Outcome,
)
from cloudforest.provisioning.evaluating.evaluation import count
from cloudforest.provisioning.exporting.attempt import PHASE_RETRY, attempt
from cloudforest.provisioning.exporting.pipeline import drain
from cloudforest.provisioning.exporting.sending import Ready
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.run import Run

BATCH = 200
PHASES = (PHASE_WRITE, PHASE_DEPROVISION, PHASE_RETRY, PHASE_REFERENCE)


def _others(effect: Effect) -> list[str]:
    named = [each.to for each in effect.references if each.to is not None]
    return [*named, *effect.add, *effect.remove]


async def _ready(run: Run, phase: int) -> AsyncIterator[Ready]:
    """Yield what is pending, with what each needs, some queries a batch."""
    after = ""
    while effects := await run.store.pending(run.rows, phase, after, BATCH):
        ids = [each.id for each in effects]
        links = await run.store.links(run.job.target, ids)
        named = [guid for each in effects for guid in _others(each)]
        others = await run.store.resource_ids(run.job.target, named) if named else {}
        for effect in effects:
            yield Ready(effect=effect, link=links.get(effect.id), others=others)
        after = effects[-1].key


def _name(outcome: Outcome) -> str:
    """Return what people call the object, as far as the target is told."""
    written = outcome.link.written if outcome.link else {}
    values = {each.path: each.after for each in outcome.effect.changes} | written
    name = values.get("userName") or values.get("displayName")
    return name if isinstance(name, str) else outcome.effect.id


def _entry(run: Run, outcome: Outcome) -> LogEntry:
    effect = outcome.effect
    paths = [each.path for each in effect.changes if each.before != each.after]
    paths += [each.path for each in effect.references]
    return LogEntry(
        time=run.clock(),
        cycle=run.id,
        job=run.job.name,
        object=effect.id,
        name=_name(outcome),
        action="update" if effect.action == "reference" else effect.action,
        status="success" if outcome.state == "done" else "failure",
        resource=outcome.link.resource if outcome.link else effect.resource,
        paths=tuple(paths),
        http_status=outcome.status,
        reason=outcome.reason,
        milliseconds=outcome.milliseconds,
    )


def _count(counts: Counts, outcome: Outcome) -> None:
    match outcome.state:
        case "done":
            written = msgspec.structs.replace(
                outcome.effect, add=outcome.added, remove=outcome.removed
            )
            count(counts, written)
        case "escrowed":
            counts.escrow += 1
        case "pending" | "staged":
            pass


def _intended_only(counts: Counts) -> None:
    """Start counting anew what evaluation only intended to write."""
    for name in ("create", "update", "enable", "adopt", "disable", "delete"):
        setattr(counts, name, 0)
    counts.member_add = counts.member_remove = counts.blank = 0


async def export(run: Run) -> None:
    """Empty the outbox into the target; `run.counts` become what was written.

    Raises Unavailable when the target is down: what is left stays pending.
    """
    _intended_only(run.counts)
    compiled = mappers(run.program)
    seen = 0

    async def store(outcomes: list[Outcome]) -> None:
        nonlocal seen
        log = [_entry(run, each) for each in outcomes if each.state != "pending"]
        await run.store.record(run.rows, run.job.target, outcomes, log)
        for outcome in outcomes:
            _count(run.counts, outcome)
        seen += len(outcomes)
        run.progress("export", seen)

    async def work(ready: Ready) -> Outcome | None:
        return await attempt(run, compiled[ready.effect.type], ready)

    for phase in PHASES:
        await drain(_ready(run, phase), work, store, workers=run.profile.concurrency)
