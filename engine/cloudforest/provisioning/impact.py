"""Preview a job's next cycle: import and evaluate on scratch data, without export.

Its effects are broken down by attribute, by reason, and some by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cloudforest.base.values import canonical_digest
from cloudforest.model.cycles import (
    AttributeCount,
    Breakdown,
    Counts,
    CycleKind,
    LeaverCount,
    ReasonCount,
    Sample,
)
from cloudforest.model.effects import GIVEN_UP_PREFIX, Effect
from cloudforest.model.jobs import scratch_key
from cloudforest.model.messages import Lookup, OutOfScope
from cloudforest.model.program import ObjectType
from cloudforest.model.stages import ExceededBudget
from cloudforest.provisioning.evaluation.evaluate import evaluate_job
from cloudforest.provisioning.evaluation.guard import (
    OBJECT_BUDGETS,
    compute_outbox_digest,
    with_allowances,
)
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.explanation.explain import explain_object
from cloudforest.provisioning.explanation.scope import LEAVES_SCOPE, describe_exclusion
from cloudforest.provisioning.imports import (
    ask_until_whole,
    build_request,
    import_changes,
    load_start_watermark,
    read_answer,
)
from cloudforest.provisioning.log_entries import list_sent_changes, load_display_names
from cloudforest.provisioning.run import CycleContext, read_pages

DELETED_REASON = "deleted in the directory"
MAPPING_FAULT = "mapping-fault"
REFUSED_BY_TARGET = "refused by the target"
_REASON_CODE = re.compile(r"([a-z]+(?:-[a-z]+)+)(?::|$)")
BATCH = 500
MAX_SAMPLES = 5
"""Names per action: enough to recognise who a change affects."""
_ARRIVAL_REASONS = {
    "create": "in scope, without a match in the target",
    "adopt": "matches an existing resource",
}


async def _read_clauses(context: CycleContext, ids: Sequence[str]) -> dict[str, str]:
    lookups = tuple(Lookup(by="guid", value=each) for each in ids)
    request = await build_request(context, "read", lookups=lookups, explain=True)
    records, _ = await read_answer(context, request)
    return {
        each.id: describe_exclusion(each)
        for each in records
        if isinstance(each, OutOfScope)
    }


async def _load_leaver_reasons(
    context: CycleContext, effects: Sequence[Effect]
) -> dict[str, str]:
    """Return why each leaver among the effects loses access, by objectGUID.

    An import only says that an object left; a read names the exclusion or clause.
    """
    reasons = {each.id: DELETED_REASON for each in effects if each.because == "gone"}
    if out := [each.id for each in effects if each.because == "out"]:
        clauses = await ask_until_whole(context, partial(_read_clauses, context, out))
        reasons |= {id_: clauses.get(id_, LEAVES_SCOPE) for id_ in out}
    return reasons


def _changed_paths(effect: Effect) -> Iterator[tuple[str, bool]]:
    """Yield each changed path of an existing resource, and whether it is cleared.

    A creation writes all values, so that its paths say nothing.
    """
    if effect.resource is None:
        return
    for change in list_sent_changes(effect):
        yield change.path, change.clears
    for reference in effect.references:
        yield reference.path, reference.to is None


def _reason_code(effect: Effect) -> str:
    """Return the code of an escrow reason; the rest of it may contain values.

    People who may not see values see these counts. A mapping fault contains no value,
    so it is returned whole, with its target attribute.
    """
    reason = (effect.reason or "").removeprefix(GIVEN_UP_PREFIX)
    code = _REASON_CODE.match(reason)
    if code and code[1] == MAPPING_FAULT:
        return reason
    return code[1] if code else REFUSED_BY_TARGET


def _sample_reason(effect: Effect) -> str:
    if effect.action == "members":
        members = "member" if len(effect.add) == 1 else "members"
        return f"{len(effect.add)} {members} added, {len(effect.remove)} removed"
    paths = ", ".join(dict.fromkeys(path for path, _ in _changed_paths(effect)))
    return _ARRIVAL_REASONS.get(effect.action) or paths


@dataclass
class _BreakdownSums:
    """The sums so far; the effects of an emptied group follow each other."""

    with_names: bool
    attributes: Counter[tuple[ObjectType, str, bool]] = field(default_factory=Counter)
    leavers: Counter[tuple[ObjectType, str, str]] = field(default_factory=Counter)
    escrowed: Counter[str] = field(default_factory=Counter)
    groups_emptied: int = 0
    last_emptied_group: str | None = None
    samples: dict[str, list[tuple[Effect, str]]] = field(default_factory=dict)

    def add_effect(self, effect: Effect, leaver_reasons: Mapping[str, str]) -> None:
        if effect.state == "escrowed":
            self.escrowed[_reason_code(effect)] += 1
            self._add_sample("escrow", effect, effect.reason or "")
        elif effect.state in {"pending", "staged"}:
            self._add_write(effect, leaver_reasons)

    def _add_write(self, effect: Effect, leaver_reasons: Mapping[str, str]) -> None:
        for path, cleared in _changed_paths(effect):
            self.attributes[effect.type, path, cleared] += 1
        if "groupsEmptied" in effect.guards and effect.id != self.last_emptied_group:
            self.groups_emptied += 1
            self._add_sample("empty", effect, "left without a member")
            self.last_emptied_group = effect.id
        reason = leaver_reasons[effect.id] if effect.because else None
        if reason is not None:
            self.leavers[effect.type, effect.action, reason] += 1
        action = "update" if effect.action == "reference" else effect.action
        self._add_sample(action, effect, reason or _sample_reason(effect))

    def _add_sample(self, action: str, effect: Effect, reason: str) -> None:
        samples = self.samples.setdefault(action, [])
        known = any(each.id == effect.id for each, _ in samples)
        if self.with_names and len(samples) < MAX_SAMPLES and not known:
            samples.append((effect, reason))

    def count_attributes(self) -> Iterator[AttributeCount]:
        for kind, path in sorted({(kind, path) for kind, path, _ in self.attributes}):
            yield AttributeCount(
                type=kind,
                attribute=path,
                set=self.attributes[kind, path, False],
                cleared=self.attributes[kind, path, True],
            )


async def _compute_breakdown(context: CycleContext, *, with_names: bool) -> Breakdown:
    """Break the outbox down; `with_names` adds the names of some objects per action."""
    sums, seen = _BreakdownSums(with_names), 0
    counts = await context.store.count_effects()
    total = sum(counts.get(context.key_name, {}).values())
    async for batch in read_pages(
        lambda after: context.store.list_effects(
            context.key_name, after=after, limit=BATCH
        )
    ):
        reasons = await _load_leaver_reasons(context, batch)
        for effect in batch:
            sums.add_effect(effect, reasons)
        seen += len(batch)
        context.report("count", seen, total)
    chosen = [effect for samples in sums.samples.values() for effect, _ in samples]
    names = await load_display_names(context, chosen)
    return Breakdown(
        attributes=tuple(sums.count_attributes()),
        groups_emptied=sums.groups_emptied,
        leavers=tuple(
            LeaverCount(type=type_, action=action, reason=reason, count=count)
            for (type_, action, reason), count in sums.leavers.most_common()
        ),
        escrow_reasons=tuple(
            ReasonCount(reason=reason, count=count)
            for reason, count in sums.escrowed.most_common()
        ),
        samples=tuple(
            Sample(action=action, name=names[effect.id], reason=reason)
            for action, samples in sums.samples.items()
            for effect, reason in samples
        ),
    )


@asynccontextmanager
async def _evaluate_on_scratch(
    context: CycleContext, plan_digest: str
) -> AsyncIterator[tuple[CycleContext, Evaluation]]:
    """Import and evaluate a job on scratch data, which is dropped in any case.

    The agents get the same requests as in the real cycle: for the changes since the
    job's watermark, or for everything if scope or attributes differ. The target is only
    read.
    """
    key = scratch_key(context.job.name, plan_digest, context.cycle_id)
    await context.store.copy_job_data(context.key_name, key)
    try:
        scratch = await with_allowances(context.on_scratch(key))
        await import_changes(scratch, await load_start_watermark(context))
        yield scratch, await evaluate_job(scratch)
    finally:
        await context.store.drop_job_data(key)


async def _find_exceeded_later(
    scratch: CycleContext, evaluated: Evaluation
) -> tuple[ExceededBudget, ...]:
    """Return the budgets that would be exceeded once the object stages are allowed.

    A leaver's memberships are removed after its disable or deletion. While that is
    staged no cycle counts them, so allowing the stage can lead to another one. Call
    this last: it changes the outbox.
    """
    known = {each.digest for each in evaluated.exceeded}
    staged = {
        each.digest for each in evaluated.exceeded if each.guard in OBJECT_BUDGETS
    }
    if not staged:
        return ()
    next_cycle = scratch.as_new_cycle().with_allowed_stages(
        scratch.allowed_stages | staged
    )
    later = await evaluate_job(next_cycle)
    return tuple(each for each in later.exceeded if each.digest not in known)


@dataclass(frozen=True)
class Impact:
    """What the next cycle would do.

    `requests` is the number of writes that the target would get, `outbox_digest` covers
    all of them. `exceeded_later` are the budgets exceeded once the stages are allowed.
    """

    cycle: CycleKind
    counts: Counts
    requests: int
    exceeded: tuple[ExceededBudget, ...]
    outbox_digest: str
    breakdown: Breakdown
    exceeded_later: tuple[ExceededBudget, ...] = ()


async def compute_impact(
    context: CycleContext, *, plan_digest: str, with_names: bool = False
) -> Impact:
    """Evaluate the next cycle; `with_names` adds the names of some affected objects."""
    start = await load_start_watermark(context)
    async with _evaluate_on_scratch(context, plan_digest) as (scratch, evaluated):
        stages = [each.digest for each in evaluated.exceeded]
        effects = canonical_digest([await compute_outbox_digest(scratch), stages])
        breakdown = await _compute_breakdown(scratch, with_names=with_names)
        later = await _find_exceeded_later(scratch, evaluated)
    return Impact(
        cycle="initial" if start is None else "incremental",
        counts=scratch.counts,
        requests=evaluated.requests,
        exceeded=tuple(evaluated.exceeded),
        outbox_digest=effects,
        breakdown=breakdown,
        exceeded_later=later,
    )


async def explain_next_cycle(
    context: CycleContext, lookup: Lookup, *, digest: str
) -> dict[str, Any]:
    """Explain an object within the next cycle, with its references and the guard."""
    async with _evaluate_on_scratch(context, digest) as (scratch, _):
        return await explain_object(scratch, lookup)
