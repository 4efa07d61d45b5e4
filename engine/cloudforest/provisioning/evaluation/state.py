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

from cloudforest.base.values import canonical_digest
from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import (
    Effect,
)
from cloudforest.model.program import ObjectType
from cloudforest.model.stages import Stage
from cloudforest.provisioning.log_entries import (
    list_sensitive_paths,
    list_sent_changes,
    redact_changes,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import CycleContext


@dataclass(frozen=True)
class StageDecisions:
    """`waiting` are the job's stages; `allowed` the digests of those released."""

    open_stages: Mapping[str, Stage] = field(default_factory=dict)
    allowed_stages: frozenset[str] = frozenset()

    def apply_to(self, effect: Effect, previous: Effect | None) -> Effect:
        """Return the effect as it stands, if its elder wished the same."""
        decided = previous is not None and (
            previous.stage or previous.state == "discarded"
        )
        if (
            previous is None
            or not decided
            or previous.fingerprint != effect.fingerprint
        ):
            return effect
        if previous.state == "discarded":
            return replace(effect, state="discarded", reason=previous.reason)
        if previous.stage in self.allowed_stages:
            return replace(effect, stage=previous.stage)
        if previous.stage in self.open_stages:
            return replace(
                effect, state="staged", stage=previous.stage, reason=previous.reason
            )
        return effect


async def load_stage_decisions(context: CycleContext) -> StageDecisions:
    stages = await context.store.list_stages(context.job.name)
    return StageDecisions({each.id: each for each in stages}, context.allowed_stages)


@dataclass
class Evaluation:
    """One cycle's evaluation.

    `digest`: see `settled_digest`. `tally` is what each budget has to bear, `waiting`
    what of it is staged already and counts in its window; `staged` are the effects that
    wait, by stage. `requests` is how many writes the export would send, `log` what is
    still to be stored. `creates_freely`: no cycle of the job to this target has ended
    well, and its budget of creates does not say that nobody is ever to be created.
    """

    context: CycleContext
    mappers: Mapping[ObjectType, Mapper]
    matcher: Matcher
    now: datetime
    settled_digest: str
    stage_decisions: StageDecisions = field(default_factory=StageDecisions)
    has_free_creates: bool = False
    charges: Counter[str] = field(default_factory=Counter)
    staged_charges: Counter[str] = field(default_factory=Counter)
    staged_counts: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    log: list[LogEntry] = field(default_factory=list)


def compute_settled_digest(context: CycleContext) -> str:
    """Return what must stay the same for a row that needed nothing to be left alone."""
    return canonical_digest(
        [context.job.target, context.siblings, context.program.mappings]
    )


def _add_pending_effect(evaluation: Evaluation, effect: Effect) -> None:
    evaluation.context.counts.count(effect)
    evaluation.requests += effect.sends_request
    for guard in effect.guards if effect.stage is None else ():
        evaluation.charges[guard] += effect.charge(guard)


def _add_staged_effect(evaluation: Evaluation, effect: Effect) -> None:
    """Count what waits in a stage; in a budget's window as long as it is that young."""
    evaluation.context.counts.staged += 1
    stage = evaluation.stage_decisions.open_stages[str(effect.stage)]
    evaluation.staged_counts[stage.id] += 1
    for guard in effect.guards:
        budget = evaluation.context.job.guard.get(guard)
        if budget is None:
            continue
        if stage.created > evaluation.now - timedelta(seconds=budget.window):
            evaluation.staged_charges[guard] += effect.charge(guard)


def add_effect(evaluation: Evaluation, effect: Effect) -> None:
    """Count an effect by its state; those in escrow are counted with their log."""
    match effect.state:
        case "pending":
            _add_pending_effect(evaluation, effect)
        case "staged":
            _add_staged_effect(evaluation, effect)
        case "discarded" | "skipped":
            evaluation.context.counts.skipped += 1
        case "escrowed" | "done":
            pass


def log_effect(
    evaluation: Evaluation,
    effect: Effect,
    name: str,
    status: Literal["failure", "skipped", "staged"],
) -> None:
    """Keep for the log what evaluation says of an effect."""
    sensitive = list_sensitive_paths(evaluation.context.program, effect.type)
    changes = tuple(redact_changes(list_sent_changes(effect), sensitive))
    evaluation.log.append(
        LogEntry(
            time=evaluation.now,
            cycle=evaluation.context.cycle_id,
            job=evaluation.context.job.name,
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


def add_escrowed_effect(
    evaluation: Evaluation, effect: Effect, name: str, previous: Effect | None
) -> None:
    """Count it; log it unless the log says so already."""
    evaluation.context.counts.escrow += 1
    before = (
        previous.attempts
        if previous is not None and previous.state == "escrowed"
        else 0
    )
    if effect.attempts > before:
        evaluation.context.attempts.count_attempt(previous_attempts=before, failed=True)
    if previous is None or (previous.state, previous.reason) != (
        "escrowed",
        effect.reason,
    ):
        log_effect(evaluation, effect, name, "failure")


async def save_evaluation_log(evaluation: Evaluation) -> None:
    """Store what is to be logged; a plan leaves no trace."""
    if evaluation.log and not evaluation.context.is_scratch:
        await evaluation.context.store.save_log_entries(evaluation.log)
    evaluation.log = []
