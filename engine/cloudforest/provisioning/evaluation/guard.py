"""The guard: compares a cycle's effects with the budgets, and stages what exceeds them.

The other effects stay pending. A plan shows the digest of a stage before the stage
exists. The objects of a released stage are read again first: effects that are no longer
wanted are superseded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from functools import partial
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
from cloudforest.model.registration import Budget
from cloudforest.model.stages import REKEYS, ExceededBudget, Stage
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.log_entries import load_display_names
from cloudforest.provisioning.run import CycleContext, read_pages

OBJECT_BUDGETS = frozenset(
    {"creates", "disables", "deletes", "attributesBlanked", REKEYS}
)
MEMBER_BUDGETS = frozenset({"memberRemovals", "groupsEmptied"})
BATCH = 500
SUPERSEDED = "moot: the stage was released, but this effect is no longer wanted."


def compute_limit(budget: Budget, managed: int) -> int:
    """Return `min(max, ceil(percent of max(managed, base)))`.

    Calculate in decimals: in binary floating point, 7 % of 100 is more than 7.
    """
    share = Decimal(str(budget.percent)) * max(managed, budget.base) / 100
    return min(budget.max, int(share.to_integral_value(ROUND_CEILING)))


def is_exceeded(budget: Budget, *, managed: int, cycle: int, window: int) -> bool:
    """Tell whether this cycle's effects, or those of the window, exceed the limit.

    `window` counts all effects in the budget's window, including this cycle's.
    """
    return max(cycle, window) > compute_limit(budget, managed)


async def _sum_window(evaluation: Evaluation, guard: str, budget: Budget) -> int:
    """Count the effects in the budget's window: written, staged, and new."""
    since = evaluation.now - timedelta(seconds=budget.window)
    written = await evaluation.context.store.sum_budget_charges(
        evaluation.context.job.name, guard, since
    )
    return written + evaluation.staged_charges[guard] + evaluation.charges[guard]


async def record_remaining_rekeys(evaluation: Evaluation) -> None:
    """Record how many more rekeys the budget allows, for those found at export."""
    context = evaluation.context
    if (budget := context.job.guard.get(REKEYS)) is None:
        return
    managed = await context.store.count_managed(context.key_name, context.job.target)
    used = await _sum_window(evaluation, REKEYS, budget)
    context.progress.remaining_rekeys = max(0, compute_limit(budget, managed) - used)


async def _check_budgets(
    evaluation: Evaluation, guards: Collection[str]
) -> dict[str, ExceededBudget]:
    """Return the budgets that the cycle's new effects exceed, by name."""
    context = evaluation.context
    charged = sorted(each for each in guards if evaluation.charges[each])
    if not charged:
        return {}
    managed = await context.store.count_managed(context.key_name, context.job.target)
    exceeded = {}
    for guard in charged:
        if (budget := context.job.guard.get(guard)) is None:
            continue
        new = evaluation.charges[guard]
        total = await _sum_window(evaluation, guard, budget)
        if is_exceeded(budget, managed=managed, cycle=new, window=total):
            exceeded[guard] = ExceededBudget(
                job=context.job.name,
                guard=guard,
                effects=new,
                limit=compute_limit(budget, managed),
                total=total,
            )
    return exceeded


@dataclass
class StageContent:
    """The digest and counts by action of the effects that a budget stages.

    `holder` is another exceeded budget: its stage holds the effects that both count.
    """

    budget: ExceededBudget
    holder: str | None = None
    action_counts: Counter[str] = field(default_factory=Counter)
    _hasher: Any = field(init=False)

    def __post_init__(self) -> None:
        about = f"{self.budget.job}\n{self.budget.guard}\n"
        self._hasher = hashlib.sha256(about.encode())

    def add_effect(self, effect: Effect) -> None:
        content = (effect.key, effect.action, effect.fingerprint)
        self._hasher.update(msgspec.json.encode(content))
        self.action_counts["memberRemove" if effect.remove else effect.action] += 1

    @property
    def exceeded(self) -> ExceededBudget:
        return replace(self.budget, digest=self._hasher.hexdigest())


async def compute_outbox_digest(context: CycleContext) -> str:
    """Return the digest of all pending effects of the cycle."""
    hasher = hashlib.sha256()
    for phase in PHASES:
        async for batch in context.read_pending_effects(phase, BATCH):
            for each in batch:
                hasher.update(each.fingerprint.encode())
    return hasher.hexdigest()


async def _list_exceeding_effects(
    context: CycleContext, exceeded: Mapping[str, ExceededBudget]
) -> AsyncIterator[list[tuple[Effect, str]]]:
    """Yield the effects to stage, always in one order, each with its first budget.

    Effects that a stage has released are not staged again.
    """
    for phase in PHASES:
        async for batch in context.read_pending_effects(phase, BATCH):
            yield [
                (each, guard)
                for each in batch
                if each.stage is None
                and (guard := next((g for g in each.guards if g in exceeded), None))
            ]


def _split_into_decisions(effect: Effect) -> list[Effect]:
    """Return the parts that are decided one by one: each removal of a member."""
    if effect.action != "members":
        return [effect]
    return [
        replace(
            effect, key=build_membership_key(effect.id, each), add=(), remove=(each,)
        )
        for each in effect.remove
    ]


async def _read_stage_contents(
    context: CycleContext, exceeded: Mapping[str, ExceededBudget]
) -> dict[str, StageContent]:
    """Read what each exceeded budget would stage."""
    contents = {guard: StageContent(each) for guard, each in exceeded.items()}
    async for batch in _list_exceeding_effects(context, exceeded):
        for effect, guard in batch:
            for single in _split_into_decisions(effect):
                contents[guard].add_effect(single)
            for other in contents.keys() & set(effect.guards) - {guard}:
                contents[other].holder = guard
    return contents


def _list_exceeded(contents: Mapping[str, StageContent]) -> dict[str, ExceededBudget]:
    """Return the exceeded budgets, each with the digest of the stage to decide."""
    exceeded = {guard: each.exceeded for guard, each in contents.items()}
    for guard, each in contents.items():
        if each.holder is not None and not each.action_counts:
            digest = exceeded[each.holder].digest
            exceeded[guard] = replace(exceeded[guard], digest=digest)
    return exceeded


def _stage_effect(
    evaluation: Evaluation, effect: Effect, budget: ExceededBudget, name: str
) -> list[Effect]:
    """Return the effects that replace a staged one in the outbox, and count them."""
    evaluation.add_request(effect, by=-1)
    staged = [
        replace(each, state="staged", stage=budget.digest, reason=budget.reason)
        for each in _split_into_decisions(effect)
    ]
    for each in staged:
        evaluation.log_effect(each, name, "staged")
    evaluation.context.counts.staged += len(staged)
    if effect.action != "members" or not effect.add:
        return staged
    # Only the removals are staged; the additions are exported.
    additions = replace(effect, remove=(), guards=())
    evaluation.add_request(additions)
    return [*staged, additions]


async def _stage_batch(
    evaluation: Evaluation,
    batch: Sequence[tuple[Effect, str]],
    exceeded: Mapping[str, ExceededBudget],
) -> None:
    context = evaluation.context
    names = await load_display_names(context, [effect for effect, _ in batch])
    saved: list[Effect] = []
    for effect, guard in batch:
        budget = exceeded[guard]
        if budget.digest in context.allowed_stages:
            saved.append(replace(effect, stage=budget.digest))
        else:
            saved += _stage_effect(evaluation, effect, budget, names[effect.id])
    saved_keys = {each.key for each in saved}
    await context.store.save_effects(context.key_name, context.cycle_id, saved)
    replaced = [each.key for each, _ in batch if each.key not in saved_keys]
    await context.store.remove_effects(context.key_name, replaced)
    await evaluation.save_log()


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
            effects=content.action_counts.total(),
            what=dict(content.action_counts),
        )
    )


async def apply_guard(evaluation: Evaluation, guards: Collection[str]) -> None:
    """Stage the effects of the exceeded budgets; note those without an allowance.

    Effects that an operator allowed by the digest of a plan are not staged. Their stage
    is stored nevertheless, as a released one, so that its allowance ends with it.
    """
    context = evaluation.context
    exceeded = await _check_budgets(evaluation, guards)
    if not exceeded:
        return
    contents = await _read_stage_contents(context, exceeded)
    exceeded = _list_exceeded(contents)
    for content in contents.values():
        if content.exceeded.digest in context.allowed_stages:
            # Stored first: if the cycle is interrupted, the allowance still ends.
            await _save_stage(evaluation, content)
    async for batch in _list_exceeding_effects(context, exceeded):
        await _stage_batch(evaluation, batch, exceeded)
    for content in contents.values():
        await _save_stage(evaluation, content)
    evaluation.exceeded += [
        each for each in exceeded.values() if each.digest not in context.allowed_stages
    ]


async def with_allowances(context: CycleContext) -> CycleContext:
    """Return the context with the allowed stages; request a read of their objects."""
    allowances = await context.store.list_allowances(context.clock())
    allowed = frozenset(each.stage for each in allowances)
    if allowed and not context.is_scratch and context.only_object is None:
        stages = await context.store.list_stages(context.job.name)
        for id_ in [each.id for each in stages if each.id in allowed]:
            async for staged in read_pages(
                partial(context.store.list_staged_effects, id_, limit=BATCH)
            ):
                guids = {
                    guid
                    for each in staged
                    for guid in (each.object_guid, *parse_membership_member(each.key))
                }
                await context.store.add_inquiries(context.key_name, sorted(guids))
    return context.with_allowed_stages(allowed)


async def drop_superseded(evaluation: Evaluation) -> None:
    """Log and forget released effects that this cycle no longer wants."""
    context = evaluation.context
    if context.is_scratch or context.only_object is not None:
        return
    for stage in evaluation.open_stages.values():
        while stage.id in context.allowed_stages and (
            superseded := await context.store.list_superseded_effects(
                context.job.name, context.cycle_id, stage.id, BATCH
            )
        ):
            entries = [
                LogEntry(
                    time=evaluation.now,
                    cycle=context.cycle_id,
                    job=stage.job,
                    object=each.object_guid,
                    name=each.object_guid,
                    action=each.action,
                    status="skipped",
                    reason=SUPERSEDED,
                )
                for each in superseded
            ]
            await context.store.forget_staged_effects(
                stage.id, [each.key for each in superseded], entries
            )
