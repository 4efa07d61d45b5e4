"""What an evaluation knows and adds up while it goes through the objects.

Where a wish stands: new, waiting in a stage, released from one, or discarded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from cloudforest.base.values import digest
from cloudforest.model.cycles import LogEntry, count
from cloudforest.model.effects import Effect, sends, weight, wish
from cloudforest.model.program import ObjectType
from cloudforest.model.stages import Stage
from cloudforest.provisioning.log_entries import differing, sensitive_paths, shown
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import Run


@dataclass(frozen=True)
class Standing:
    """`waiting` are the job's stages; `allowed` the digests of those released."""

    waiting: Mapping[str, Stage] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()

    def of(self, effect: Effect, prior: Effect | None) -> Effect:
        """Return the effect as it stands, if its elder wished the same."""
        decided = prior is not None and (prior.stage or prior.state == "discarded")
        if prior is None or not decided or wish(prior) != wish(effect):
            return effect
        if prior.state == "discarded":
            return replace(effect, state="discarded", reason=prior.reason)
        if prior.stage in self.allowed:
            return replace(effect, stage=prior.stage)
        if prior.stage in self.waiting:
            return replace(
                effect, state="staged", stage=prior.stage, reason=prior.reason
            )
        return effect


async def standing(run: Run) -> Standing:
    stages = await run.store.stages(run.job.name)
    return Standing({each.id: each for each in stages}, run.allowed)


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
