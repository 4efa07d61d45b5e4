"""Stages the effects that an exceeded budget counts; the others stay pending.

A plan shows the digest of a stage before the stage exists. The objects of a released
stage are read again first: effects that are no longer wanted are superseded.
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
SUPERSEDED = "moot: the stage was released, but this effect is no longer wanted."


@dataclass
class StageContent:
    """The digest and counts by action of the effects that a budget stages.

    `holder` is another exceeded budget: its stage holds the effects that both count.
    """

    budget: ExceededBudget
    hasher: Any
    holder: str | None = None
    action_counts: Counter[str] = field(default_factory=Counter)

    def add_effect(self, effect: Effect) -> None:
        content = (effect.key, effect.action, effect.fingerprint)
        self.hasher.update(msgspec.json.encode(content))
        self.action_counts["memberRemove" if effect.remove else effect.action] += 1

    @property
    def exceeded(self) -> ExceededBudget:
        return replace(self.budget, digest=self.hasher.hexdigest())


def _start_content(budget: ExceededBudget) -> StageContent:
    return StageContent(
        budget, hashlib.sha256(f"{budget.job}\n{budget.guard}\n".encode())
    )


async def compute_outbox_digest(context: CycleContext) -> str:
    """Return the digest of all pending effects of the cycle."""
    hasher = hashlib.sha256()
    for phase in PHASES:
        async for batch in context.read_pending_effects(phase, BATCH):
            for each in batch:
                hasher.update(each.fingerprint.encode())
    return hasher.hexdigest()


async def list_stageable_effects(context: CycleContext) -> AsyncIterator[list[Effect]]:
    """Yield the pending effects that no stage has released, always in one order."""
    for phase in PHASES:
        async for batch in context.read_pending_effects(phase, BATCH):
            yield [each for each in batch if each.stage is None]


def find_exceeded_guard(
    effect: Effect, exceeded: Mapping[str, ExceededBudget]
) -> str | None:
    """Return the first of the effect's budgets that is exceeded."""
    return next((each for each in effect.guards if each in exceeded), None)


def split_into_decisions(effect: Effect) -> list[Effect]:
    """Return the parts that are decided one by one: each removal of a member."""
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
    contents = {guard: _start_content(each) for guard, each in exceeded.items()}
    async for batch in list_stageable_effects(context):
        for effect in batch:
            guard = find_exceeded_guard(effect, exceeded)
            if guard is None:
                continue
            for single in split_into_decisions(effect):
                contents[guard].add_effect(single)
            for other in contents.keys() & set(effect.guards) - {guard}:
                contents[other].holder = guard
    return contents


def list_exceeded(contents: Mapping[str, StageContent]) -> dict[str, ExceededBudget]:
    """Return the exceeded budgets, each with the digest of the stage to decide."""
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
    """Remove a staged effect from the counts; keep the part that is exported."""
    counts = evaluation.context.counts
    counts.count(effect, by=-1)
    evaluation.requests -= effect.sends_request
    if unstaged is not None:
        counts.count(unstaged)
        evaluation.requests += unstaged.sends_request


def _unstaged_part(effect: Effect) -> Effect | None:
    """Return the additions of a change of members whose removals are staged."""
    if effect.action != "members" or not effect.add:
        return None
    return replace(effect, remove=(), guards=())


def _stage_effect(
    evaluation: Evaluation, effect: Effect, budget: ExceededBudget, name: str
) -> list[Effect]:
    """Return the effects that replace a staged one in the outbox."""
    unstaged = _unstaged_part(effect)
    _uncount_staged(evaluation, effect, unstaged)
    staged = [
        replace(each, state="staged", stage=budget.digest, reason=budget.reason)
        for each in split_into_decisions(effect)
    ]
    for each in staged:
        log_effect(evaluation, each, name, "staged")
    evaluation.context.counts.staged += len(staged)
    return [*staged, unstaged] if unstaged else staged


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
    saved_keys = {each.key for each in saved}
    await context.store.save_effects(context.key_name, context.cycle_id, saved)
    replaced = [each.key for each in effects if each.key not in saved_keys]
    await context.store.remove_effects(context.key_name, replaced)
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
    """Stage the effects of the exceeded budgets; return those without an allowance.

    Effects that an operator allowed by the digest of a plan are not staged. Their stage
    is stored nevertheless, as a released one, so that its allowance ends with it.
    """
    exceeded = await check_budgets(evaluation, guards)
    if not exceeded:
        return ()
    contents = await read_stage_contents(evaluation.context, exceeded)
    exceeded = list_exceeded(contents)
    allowed = evaluation.context.allowed_stages
    for content in contents.values():
        if content.exceeded.digest in allowed:
            # Stored first: if the cycle is interrupted, the allowance still ends.
            await _save_stage(evaluation, content)
    async for batch in list_stageable_effects(evaluation.context):
        counted = [
            each for each in batch if find_exceeded_guard(each, exceeded) is not None
        ]
        await _stage_batch(evaluation, counted, exceeded)
    for content in contents.values():
        await _save_stage(evaluation, content)
    return tuple(each for each in exceeded.values() if each.digest not in allowed)


async def _inquire_about_stage(context: CycleContext, stage: Stage) -> None:
    """Request a new read of a stage's objects before its effects are written."""
    after = ""
    while staged := await context.store.list_staged_effects(stage.id, after, BATCH):
        guids = {
            guid
            for each in staged
            for guid in (each.object_guid, *parse_membership_member(each.key))
        }
        await context.store.add_inquiries(context.key_name, sorted(guids))
        after = staged[-1].key


async def with_allowances(context: CycleContext) -> CycleContext:
    """Return the context with the allowed stages; request a read of their objects."""
    allowances = await context.store.list_allowances(context.clock())
    allowed = frozenset(each.stage for each in allowances)
    if allowed and not context.is_scratch and context.only_object is None:
        for stage in await context.store.list_stages(context.job.name):
            if stage.id in allowed:
                await _inquire_about_stage(context, stage)
    return context.with_allowed_stages(allowed)


def _superseded_log_entry(
    evaluation: Evaluation, stage: Stage, staged: StagedEffect
) -> LogEntry:
    return LogEntry(
        time=evaluation.now,
        cycle=evaluation.context.cycle_id,
        job=stage.job,
        object=staged.object_guid,
        name=staged.object_guid,
        action=staged.action,
        status="skipped",
        reason=SUPERSEDED,
    )


async def drop_superseded(evaluation: Evaluation) -> None:
    """Log and forget released effects that this cycle no longer wants."""
    context = evaluation.context
    if context.is_scratch or context.only_object is not None:
        return
    for digest, stage in evaluation.stage_decisions.open_stages.items():
        while digest in context.allowed_stages and (
            superseded := await context.store.list_superseded_effects(
                context.job.name, context.cycle_id, digest, BATCH
            )
        ):
            await context.store.forget_staged_effects(
                digest,
                [each.key for each in superseded],
                [_superseded_log_entry(evaluation, stage, each) for each in superseded],
            )
