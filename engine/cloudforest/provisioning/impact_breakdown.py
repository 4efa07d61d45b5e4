"""Break the effects of a plan down by attribute, by reason, and some by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cloudforest.model.cycles import (
    AttributeCount,
    Breakdown,
    LeaverCount,
    ReasonCount,
    Sample,
)
from cloudforest.model.effects import GIVEN_UP_PREFIX, Effect
from cloudforest.model.messages import Closing, Lookup, OutOfScope
from cloudforest.model.program import ObjectType
from cloudforest.provisioning.explanation.scope import LEAVES_SCOPE, describe_exclusion
from cloudforest.provisioning.imports import (
    ask_until_whole,
    build_request,
    require_closing,
)
from cloudforest.provisioning.log_entries import list_sent_changes, load_display_names
from cloudforest.provisioning.run import CycleContext

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
    reasons: dict[str, str] = {}
    closing: Closing | None = None
    async for page in context.bus.request_pages(request):
        reasons |= {
            each.id: describe_exclusion(each)
            for each in page.records
            if isinstance(each, OutOfScope)
        }
        closing = page.closing
    require_closing(context, closing)
    return reasons


async def load_leaver_reasons(
    context: CycleContext, effects: Sequence[Effect]
) -> dict[str, str]:
    """Return why each leaver among the effects loses access, by objectGUID.

    An import only says that an object left; a read names the exclusion or clause.
    """
    out = [each.id for each in effects if each.because == "out"]
    clauses = (
        await ask_until_whole(context, partial(_read_clauses, context, out))
        if out
        else {}
    )
    reasons = {id_: clauses.get(id_, LEAVES_SCOPE) for id_ in out}
    return reasons | {
        each.id: DELETED_REASON for each in effects if each.because == "gone"
    }


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


def _reason_counts(counts: Counter[str]) -> tuple[ReasonCount, ...]:
    return tuple(
        ReasonCount(reason=reason, count=count)
        for reason, count in sorted(counts.items(), key=lambda each: -each[1])
    )


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


async def _load_samples(
    context: CycleContext, sums: _BreakdownSums
) -> tuple[Sample, ...]:
    chosen = [each for samples in sums.samples.values() for each in samples]
    names = await load_display_names(context, [effect for effect, _ in chosen])
    return tuple(
        Sample(action=action, name=names[effect.id], reason=reason)
        for action, samples in sums.samples.items()
        for effect, reason in samples
    )


async def compute_breakdown(context: CycleContext, *, with_names: bool) -> Breakdown:
    """Break the outbox of an evaluation down, batch by batch.

    `with_names` adds the names of some objects per action.
    """
    sums, after, seen = _BreakdownSums(with_names), "", 0
    total = sum(
        (await context.store.count_effects()).get(context.key_name, {}).values()
    )
    while batch := await context.store.list_effects(
        context.key_name, after=after, limit=BATCH
    ):
        reasons = await load_leaver_reasons(context, batch)
        for effect in batch:
            sums.add_effect(effect, reasons)
        after, seen = batch[-1].key, seen + len(batch)
        context.progress("count", seen, total)
    return Breakdown(
        attributes=tuple(sums.count_attributes()),
        groups_emptied=sums.groups_emptied,
        leavers=tuple(
            LeaverCount(type=type_, action=action, reason=reason, count=count)
            for (type_, action, reason), count in sums.leavers.most_common()
        ),
        escrow_reasons=_reason_counts(sums.escrowed),
        samples=await _load_samples(context, sums),
    )
