"""What an evaluation knows and adds up while it goes through the objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cloudforest.base.canonical import digest
from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import Counts, Effect, LogEntry
from cloudforest.provisioning.evaluating.differences import clears
from cloudforest.provisioning.evaluating.standing import Standing
from cloudforest.provisioning.logbook import differing, sensitive_paths, shown
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import Run


@dataclass
class Evaluation:
    """One cycle's evaluation.

    `digest`: see `settled_digest`. `tally` is what each budget has to bear, `waiting`
    what of it is staged already and counts in its window; `staged` are the effects that
    wait, by stage. `requests` is how many writes the export would send, `log` what is
    still to be stored. `creates_freely`: no cycle of the job to this target has ended
    well, and its budget of creates does not say that nobody is ever to be created.
    """

    run: Run
    mappers: Mapping[ObjectType, Mapper]
    matcher: Matcher
    now: datetime
    digest: str
    standing: Standing = field(default_factory=Standing)
    creates_freely: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    staged: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    log: list[LogEntry] = field(default_factory=list)


def settled_digest(run: Run) -> str:
    """Return what must stay the same for a row that needed nothing to be left alone."""
    return digest([run.job.target, run.others, run.program.mappings])


def is_creation(effect: Effect) -> bool:
    """Tell whether the effect makes a resource, and does not find it made by us."""
    return effect.action == "create" and effect.resource is None


def sends(effect: Effect) -> bool:
    """Tell whether the effect needs a request, and not only a link."""
    if is_creation(effect) or effect.action == "delete":
        return True
    differs = any(each.is_sent for each in effect.changes)
    return differs or bool(effect.references or effect.add or effect.remove)


def count(counts: Counts, effect: Effect, *, by: int = 1) -> None:
    """Count a pending effect; `by` -1 takes it back."""
    match effect.action:
        case "reference":
            pass
        case "members":
            counts.member_add += by * len(effect.add)
            counts.member_remove += by * len(effect.remove)
        case _:
            setattr(counts, effect.action, getattr(counts, effect.action) + by)
    counts.blank += by * sum(clears(each) for each in effect.changes)
    counts.blank += by * sum(each.to is None for each in effect.references)


def forget_writes(counts: Counts) -> None:
    """Count no longer what evaluation only intended to write."""
    for name in ("create", "update", "enable", "adopt", "disable", "delete"):
        setattr(counts, name, 0)
    counts.member_add = counts.member_remove = counts.blank = 0


def weight(effect: Effect, guard: str) -> int:
    """Return how much a budget bears for an effect."""
    return len(effect.remove) if guard == "memberRemovals" else 1


def _add_pending(evaluation: Evaluation, effect: Effect) -> None:
    count(evaluation.run.counts, effect)
    evaluation.requests += sends(effect)
    for guard in effect.guards if effect.stage is None else ():
        evaluation.tally[guard] += weight(effect, guard)


def _add_staged(evaluation: Evaluation, effect: Effect) -> None:
    """Count what waits in a stage; in a budget's window as long as it is that young."""
    evaluation.run.counts.staged += 1
    stage = evaluation.standing.waiting[str(effect.stage)]
    evaluation.staged[stage.id] += 1
    for guard in effect.guards:
        budget = evaluation.run.job.guard.get(guard)
        if budget is None:
            continue
        if stage.created > evaluation.now - timedelta(seconds=budget.window):
            evaluation.waiting[guard] += weight(effect, guard)


def add(evaluation: Evaluation, effect: Effect) -> None:
    """Count an effect by its state; those in escrow are counted with their log."""
    match effect.state:
        case "pending":
            _add_pending(evaluation, effect)
        case "staged":
            _add_staged(evaluation, effect)
        case "discarded" | "skipped":
            evaluation.run.counts.skipped += 1
        case "escrowed" | "done":
            pass


def note(
    evaluation: Evaluation,
    effect: Effect,
    name: str,
    status: Literal["failure", "skipped", "staged"],
) -> None:
    """Keep for the log what evaluation says of an effect."""
    sensitive = sensitive_paths(evaluation.run.program, effect.type)
    changes = tuple(shown(differing(effect), sensitive))
    evaluation.log.append(
        LogEntry(
            time=evaluation.now,
            cycle=evaluation.run.id,
            job=evaluation.run.job.name,
            object=effect.id,
            name=name,
            type=effect.type,
            action=effect.action,
            status=status,
            resource=effect.resource,
            paths=tuple(each.path for each in changes),
            changes=changes,
            reason=effect.reason,
        )
    )


def add_escrowed(
    evaluation: Evaluation, effect: Effect, name: str, prior: Effect | None
) -> None:
    """Count it; log it unless the log says so already."""
    evaluation.run.counts.escrow += 1
    before = prior.attempts if prior is not None and prior.state == "escrowed" else 0
    if effect.attempts > before:
        evaluation.run.attempts.add(attempts=before, failed=True)
    if prior is None or (prior.state, prior.reason) != ("escrowed", effect.reason):
        note(evaluation, effect, name, "failure")


async def store_log(evaluation: Evaluation) -> None:
    """Store what is to be logged; a plan leaves no trace."""
    if evaluation.log and not evaluation.run.is_scratch:
        await evaluation.run.store.log(evaluation.log)
    evaluation.log = []
