"""The state of one evaluation: its counts, charges, stage decisions and log."""

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
    """The job's undecided stages by digest, and the digests of the allowed ones."""

    open_stages: Mapping[str, Stage] = field(default_factory=dict)
    allowed_stages: frozenset[str] = frozenset()

    def apply_to(self, effect: Effect, previous: Effect | None) -> Effect:
        """Return the effect in the state that was decided for its fingerprint."""
        if previous is None or not (previous.stage or previous.state == "discarded"):
            return effect
        if previous.fingerprint != effect.fingerprint:
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

    `charges` are the new effects of each budget; `staged_charges` those already staged
    within its window. `staged_counts` are the waiting effects by stage. `requests` is
    the number of requests that the export would send. `log` is not stored yet.
    `has_free_creates`: the first cycle of a job may create without a limit.
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
    """Return the digest that settled objects rest on: if it changes, all are due."""
    return canonical_digest(
        [context.job.target, context.siblings, context.program.mappings]
    )


def _add_pending_effect(evaluation: Evaluation, effect: Effect) -> None:
    evaluation.context.counts.count(effect)
    evaluation.requests += effect.sends_request
    for guard in effect.guards if effect.stage is None else ():
        evaluation.charges[guard] += effect.charge(guard)


def _add_staged_effect(evaluation: Evaluation, effect: Effect) -> None:
    """Count a staged effect; its stage charges a budget only within its window."""
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
    """Count an effect by its state, except those in escrow.

    `add_escrowed_effect` counts these.
    """
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
    """Add an entry for an effect to the log."""
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
    """Count an effect in escrow; log it unless it waits for the same reason as before.

    Use `add_effect` for the other states.
    """
    evaluation.context.counts.escrow += 1
    was_escrowed = previous is not None and previous.state == "escrowed"
    attempts = previous.attempts if previous is not None and was_escrowed else 0
    if effect.attempts > attempts:
        evaluation.context.attempts.count_attempt(
            previous_attempts=attempts, failed=True
        )
    if previous is None or not was_escrowed or previous.reason != effect.reason:
        log_effect(evaluation, effect, name, "failure")


async def save_evaluation_log(evaluation: Evaluation) -> None:
    """Store the log so far; a plan stores none."""
    if evaluation.log and not evaluation.context.is_scratch:
        await evaluation.context.store.save_log_entries(evaluation.log)
    evaluation.log = []
