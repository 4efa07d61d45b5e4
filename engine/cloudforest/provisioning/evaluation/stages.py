"""Stages every effect that an exceeded budget counts; the rest stays pending.

The digest of a stage, before there is one: a plan shows it, a cycle stages by it.

Released stages: read again first; what is no longer wanted is moot.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import (
    PHASES,
    Effect,
    build_membership_key,
    parse_membership_member,
)
from cloudforest.model.stages import ExceededBudget, Stage, StagedEffect
from cloudforest.provisioning.evaluation.guard import check_budgets
from cloudforest.provisioning.evaluation.state import (
    Evaluation,
    log_effect,
    save_evaluation_log,
)
from cloudforest.provisioning.log_entries import load_display_names
from cloudforest.provisioning.run import CycleContext

BATCH = 500


@dataclass
class StageContent:
    """What is digested, and counted by action, of the effects that a budget stages.

    `holder` is another exceeded budget, whose stage has those effects that both count.
    """

    budget: ExceededBudget
    hasher: Any
    holder: str | None = None
    action_counts: Counter[str] = field(default_factory=Counter)

    def add_effect(self, effect: Effect) -> None:
        said = (effect.key, effect.action, effect.fingerprint)
        self.hasher.update(msgspec.json.encode(said))
        self.action_counts["memberRemove" if effect.remove else effect.action] += 1

    @property
    def exceeded(self) -> ExceededBudget:
        return replace(self.budget, digest=self.hasher.hexdigest())


def _start_content(budget: ExceededBudget) -> StageContent:
    return StageContent(
        budget, hashlib.sha256(f"{budget.job}\n{budget.guard}\n".encode())
    )


async def compute_outbox_digest(context: CycleContext) -> str:
    """Return the digest of all that the cycle is to write."""
    content = hashlib.sha256()
    for phase in PHASES:
        after = ""
        while batch := await context.store.list_pending_effects(
            context.key_name, context.cycle_id, phase, after=after, limit=BATCH
        ):
            for each in batch:
                content.update(each.fingerprint.encode())
            after = batch[-1].key
    return content.hexdigest()


async def list_stageable_effects(context: CycleContext) -> AsyncIterator[list[Effect]]:
    """Yield what is to be written and nobody released, in one order every time."""
    for phase in PHASES:
        after = ""
        while batch := await context.store.list_pending_effects(
            context.key_name, context.cycle_id, phase, after=after, limit=BATCH
        ):
            yield [each for each in batch if each.stage is None]
            after = batch[-1].key


def find_exceeded_guard(
    effect: Effect, exceeded: Mapping[str, ExceededBudget]
) -> str | None:
    """Return the first of the effect's budgets that is exceeded."""
    return next((each for each in effect.guards if each in exceeded), None)


def split_into_decisions(effect: Effect) -> list[Effect]:
    """Return what is decided one by one: of a change of members, each removal."""
    if effect.action != "members":
        return [effect]
    return [
        replace(
            effect, key=build_membership_key(effect.id, each), add=(), remove=(each,)
        )
        for each in effect.remove
    ]


async def read_stage_contents(
    context: CycleContext, exceeded: Mapping[str, ExceededBudget]
) -> dict[str, StageContent]:
    """Read what each exceeded budget would stage."""
    made = {guard: _start_content(trip) for guard, trip in exceeded.items()}
    async for batch in list_stageable_effects(context):
        for effect in batch:
            guard = find_exceeded_guard(effect, exceeded)
            if guard is None:
                continue
            for single in split_into_decisions(effect):
                made[guard].add_effect(single)
            for other in made.keys() & set(effect.guards) - {guard}:
                made[other].holder = guard
    return made


def list_exceeded(contents: Mapping[str, StageContent]) -> dict[str, ExceededBudget]:
    """Return what is exceeded, each with the stage that a decision is about."""
    exceeded = {guard: each.exceeded for guard, each in contents.items()}
    for guard, each in contents.items():
        if each.holder is not None and not each.action_counts:
            exceeded[guard] = replace(
                exceeded[guard], digest=exceeded[each.holder].digest
            )
    return exceeded


def _uncount_staged(
    evaluation: Evaluation, effect: Effect, unstaged: Effect | None
) -> None:
    """Count no longer what is staged, but what of it goes on."""
    counts = evaluation.context.counts
    counts.count(effect, by=-1)
    evaluation.requests -= effect.sends_request
    if unstaged is not None:
        counts.count(unstaged)
        evaluation.requests += unstaged.sends_request


def _unstaged_part(effect: Effect) -> Effect | None:
    """Return what goes on of a change of members whose removals are staged."""
    if effect.action != "members" or not effect.add:
        return None
    return replace(effect, remove=(), guards=())


def _stage_effect(
    evaluation: Evaluation, effect: Effect, budget: ExceededBudget, name: str
) -> list[Effect]:
    """Return what takes the place of an effect in the outbox."""
    rest = _unstaged_part(effect)
    _uncount_staged(evaluation, effect, rest)
    parts = [
        replace(each, state="staged", stage=budget.digest, reason=budget.reason)
        for each in split_into_decisions(effect)
    ]
    for part in parts:
        log_effect(evaluation, part, name, "staged")
    evaluation.context.counts.staged += len(parts)
    return [*parts, rest] if rest else parts


async def _stage_batch(
    evaluation: Evaluation,
    effects: Sequence[Effect],
    exceeded: Mapping[str, ExceededBudget],
) -> None:
    context = evaluation.context
    names = await load_display_names(context, effects)
    saved: list[Effect] = []
    for effect in effects:
        budget = exceeded[str(find_exceeded_guard(effect, exceeded))]
        if budget.digest in context.allowed_stages:
            saved.append(replace(effect, stage=budget.digest))
        else:
            saved += _stage_effect(evaluation, effect, budget, names[effect.id])
    kept = {each.key for each in saved}
    await context.store.save_effects(context.key_name, context.cycle_id, saved)
    gone = [each.key for each in effects if each.key not in kept]
    await context.store.remove_effects(context.key_name, gone)
    await save_evaluation_log(evaluation)


async def _save_stage(evaluation: Evaluation, content: StageContent) -> None:
    context, budget = evaluation.context, content.exceeded
    if context.is_scratch or not content.action_counts:
        return
    await context.store.save_stage(
        Stage(
            id=budget.digest,
            job=budget.job,
            guard=budget.guard,
            cycle=context.cycle_id,
            created=evaluation.now,
            limit=budget.limit,
            effects=sum(content.action_counts.values()),
            what=dict(content.action_counts),
        )
    )


async def apply_guard(
    evaluation: Evaluation, guards: Collection[str]
) -> tuple[ExceededBudget, ...]:
    """Stage what these budgets do not bear; return those that are exceeded.

    What was allowed beforehand, from a plan, is not staged: its digest is known. It is
    a stage that was released all the same, so that its allowance ends with it.
    """
    exceeded = await check_budgets(evaluation, guards)
    if not exceeded:
        return ()
    made = await read_stage_contents(evaluation.context, exceeded)
    trips = list_exceeded(made)
    for content in made.values():
        if content.exceeded.digest in evaluation.context.allowed_stages:
            # Should we die before the effects are stored, the allowance still ends.
            await _save_stage(evaluation, content)
    async for batch in list_stageable_effects(evaluation.context):
        counted = [
            each for each in batch if find_exceeded_guard(each, trips) is not None
        ]
        await _stage_batch(evaluation, counted, trips)
    for content in made.values():
        await _save_stage(evaluation, content)
    allowed = evaluation.context.allowed_stages
    return tuple(each for each in trips.values() if each.digest not in allowed)


SUPERSEDED = "moot: it was released, and is no longer wanted as it was staged."


async def _inquire_about_stage(context: CycleContext, stage: Stage) -> None:
    """Have the objects of a stage read before anything of it is written."""
    after = ""
    while held := await context.store.list_staged_effects(stage.id, after, BATCH):
        ids = {
            id_
            for each in held
            for id_ in (each.object_guid, *parse_membership_member(each.key))
        }
        await context.store.add_inquiries(context.key_name, sorted(ids))
        after = held[-1].key


async def with_allowances(context: CycleContext) -> CycleContext:
    """Return the run with the stages that may be written; have their objects read."""
    given = await context.store.list_allowances(context.clock())
    allowed = frozenset(each.stage for each in given)
    if allowed and not context.is_scratch and context.only_object is None:
        for stage in await context.store.list_stages(context.job.name):
            if stage.id in allowed:
                await _inquire_about_stage(context, stage)
    return context.with_allowed_stages(allowed)


def _superseded_log_entry(
    evaluation: Evaluation, stage: Stage, each: StagedEffect
) -> LogEntry:
    return LogEntry(
        time=evaluation.now,
        cycle=evaluation.context.cycle_id,
        job=stage.job,
        object=each.object_guid,
        name=each.object_guid,
        action=each.action,
        status="skipped",
        reason=SUPERSEDED,
    )


async def drop_superseded(evaluation: Evaluation) -> None:
    """Log and forget what was released and this cycle does not want any more."""
    context = evaluation.context
    if context.is_scratch or context.only_object is not None:
        return
    for id_, stage in evaluation.stage_decisions.open_stages.items():
        while id_ in context.allowed_stages and (
            moot := await context.store.list_superseded_effects(
                context.job.name, context.cycle_id, id_, BATCH
            )
        ):
            await context.store.forget_staged_effects(
                id_,
                [each.key for each in moot],
                [_superseded_log_entry(evaluation, stage, each) for each in moot],
            )
