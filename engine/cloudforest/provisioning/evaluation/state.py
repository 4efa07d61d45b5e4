"""The state of one evaluation: its counts, charges, open stages and log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import Effect
from cloudforest.model.program import ObjectType
from cloudforest.model.stages import ExceededBudget, Stage
from cloudforest.provisioning.log_entries import (
    list_sensitive_paths,
    list_sent_changes,
    redact_changes,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import CycleContext


@dataclass
class Evaluation:
    """One cycle's evaluation.

    `open_stages` are the job's undecided stages by digest. `charges` are the new
    effects of each budget; `staged_charges` those already staged within its window.
    `staged_counts` are the waiting effects by stage. `requests` is the number of
    requests that the export would send. `exceeded` are the budgets that this cycle
    exceeds, and the stages that still wait. `log` is not stored yet.
    `has_free_creates`: the first cycle of a job may create without a limit.
    """

    context: CycleContext
    mappers: Mapping[ObjectType, Mapper]
    matcher: Matcher
    now: datetime
    open_stages: Mapping[str, Stage]
    has_free_creates: bool
    charges: Counter[str] = field(default_factory=Counter)
    staged_charges: Counter[str] = field(default_factory=Counter)
    staged_counts: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    exceeded: list[ExceededBudget] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)

    def apply_stage_decision(self, effect: Effect, previous: Effect | None) -> Effect:
        """Return the effect in the state that was decided for its fingerprint."""
        if previous is None or not (previous.stage or previous.state == "discarded"):
            return effect
        if previous.fingerprint != effect.fingerprint:
            return effect
        if previous.state == "discarded":
            return replace(effect, state="discarded", reason=previous.reason)
        if previous.stage in self.context.allowed_stages:
            return replace(effect, stage=previous.stage)
        if previous.stage in self.open_stages:
            return replace(
                effect, state="staged", stage=previous.stage, reason=previous.reason
            )
        return effect

    def add_request(self, effect: Effect, *, by: int = 1) -> None:
        """Count a pending effect and its request; `by=-1` takes it back."""
        self.context.counts.count(effect, by=by)
        self.requests += by * effect.sends_request

    def _add_staged_effect(self, effect: Effect) -> None:
        """Count a staged effect; its stage charges a budget only within its window."""
        self.context.counts.staged += 1
        stage = self.open_stages[str(effect.stage)]
        self.staged_counts[stage.id] += 1
        for guard in effect.guards:
            budget = self.context.job.guard.get(guard)
            if budget is None:
                continue
            if stage.created > self.now - timedelta(seconds=budget.window):
                self.staged_charges[guard] += effect.charge(guard)

    def add_effect(self, effect: Effect) -> None:
        """Count an effect by its state; for escrow, use `add_escrowed_effect`."""
        if effect.state == "pending":
            self.add_request(effect)
            for guard in effect.guards if effect.stage is None else ():
                self.charges[guard] += effect.charge(guard)
        elif effect.state == "staged":
            self._add_staged_effect(effect)
        elif effect.state in {"discarded", "skipped"}:
            self.context.counts.skipped += 1

    def add_escrowed_effect(
        self, effect: Effect, name: str, previous: Effect | None
    ) -> None:
        """Count an effect in escrow; log it if it waits for a new reason."""
        self.context.counts.escrow += 1
        if previous is not None and previous.state != "escrowed":
            previous = None
        attempts = previous.attempts if previous else 0
        if effect.attempts > attempts:
            self.context.progress.attempts.count_attempt(
                previous_attempts=attempts, failed=True
            )
        if previous is None or previous.reason != effect.reason:
            self.log_effect(effect, name, "failure")

    def log_effect(
        self, effect: Effect, name: str, status: Literal["failure", "skipped", "staged"]
    ) -> None:
        """Add an entry for an effect to the log."""
        sensitive = list_sensitive_paths(self.context.program, effect.type)
        changes = tuple(redact_changes(list_sent_changes(effect), sensitive))
        self.log.append(
            LogEntry(
                time=self.now,
                cycle=self.context.cycle_id,
                job=self.context.job.name,
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

    async def save_log(self) -> None:
        """Store the log so far; a plan stores none."""
        if self.log and not self.context.is_scratch:
            await self.context.store.save_log_entries(self.log)
        self.log = []
