"""Breaks the effects of a plan down: by attribute, by reason, and some by name.

Why those leave whom a plan would deprovision: the clause, asked of the agents.
"""

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
from cloudforest.model.effects import GIVEN_UP, Effect, clears
from cloudforest.model.messages import Closing, Lookup, OutOfScope
from cloudforest.model.program import ObjectType
from cloudforest.provisioning.explanation.scope import NOT_SAID, why_out
from cloudforest.provisioning.imports import request, require_last_word, whole_answer
from cloudforest.provisioning.log_entries import differing, names_of
from cloudforest.provisioning.run import Run

GONE = "deleted in the directory"


async def _ask(run: Run, ids: Sequence[str]) -> dict[str, str]:
    lookups = tuple(Lookup(by="guid", value=each) for each in ids)
    asked = await request(run, "read", lookups=lookups, explain=True)
    said: dict[str, str] = {}
    closing: Closing | None = None
    async for page in run.bus.ask(asked):
        said |= {
            each.id: why_out(each)
            for each in page.records
            if isinstance(each, OutOfScope)
        }
        closing = page.closing
    require_last_word(run, closing)
    return said


async def reasons(run: Run, effects: Sequence[Effect]) -> dict[str, str]:
    """Return why access is taken away, by objectGUID, of those for whom it is.

    An import says of who left only that it is so; a read names the clause.
    """
    out = [each.id for each in effects if each.because == "out"]
    said = await whole_answer(run, partial(_ask, run, out)) if out else {}
    left = {id_: said.get(id_, NOT_SAID) for id_ in out}
    return left | {each.id: GONE for each in effects if each.because == "gone"}


MAPPING_FAULT = "mapping-fault"
REFUSED = "refused by the target"
_CODE = re.compile(r"([a-z]+(?:-[a-z]+)+)(?::|$)")
BATCH = 500
MOST_SAMPLES = 5
"""Of each action: enough to recognise whom a change means."""

_ARRIVES = {
    "create": "is in scope, and the target has nobody who matches",
    "adopt": "matches a resource that is there",
}


def _touched(effect: Effect) -> Iterator[tuple[str, bool]]:
    """Yield the paths that change, and whether the value is cleared.

    A creation gets all its values, which says nothing of any of them.
    """
    if effect.resource is None:
        return
    for change in differing(effect):
        yield change.path, clears(change)
    for reference in effect.references:
        yield reference.path, reference.to is None


def _code(effect: Effect) -> str:
    """Return what kind of reason it is; the rest, or a target's words, may name values.

    Those who may not see values see the counts. A fault of a mapping names none: it is
    told whole, with its target attribute.
    """
    reason = (effect.reason or "").removeprefix(GIVEN_UP)
    code = _CODE.match(reason)
    if code and code[1] == MAPPING_FAULT:
        return reason
    return code[1] if code else REFUSED


def _why(effect: Effect) -> str:
    if effect.action == "members":
        return f"{len(effect.add)} members added, {len(effect.remove)} removed"
    paths = ", ".join(dict.fromkeys(path for path, _ in _touched(effect)))
    return _ARRIVES.get(effect.action) or paths


def _counted(counts: Counter[str]) -> tuple[ReasonCount, ...]:
    return tuple(
        ReasonCount(reason=reason, count=count)
        for reason, count in sorted(counts.items(), key=lambda each: -each[1])
    )


@dataclass
class _Sums:
    """`emptied` is the last group that is emptied: its effects come in a row."""

    named: bool
    attributes: Counter[tuple[ObjectType, str, bool]] = field(default_factory=Counter)
    leavers: Counter[tuple[ObjectType, str, str]] = field(default_factory=Counter)
    escrowed: Counter[str] = field(default_factory=Counter)
    groups: int = 0
    emptied: str | None = None
    samples: dict[str, list[tuple[Effect, str]]] = field(default_factory=dict)

    def add(self, effect: Effect, left: Mapping[str, str]) -> None:
        if effect.state == "escrowed":
            self.escrowed[_code(effect)] += 1
            self._sample("escrow", effect, effect.reason or "")
        elif effect.state in {"pending", "staged"}:
            self._add_write(effect, left)

    def _add_write(self, effect: Effect, left: Mapping[str, str]) -> None:
        for path, cleared in _touched(effect):
            self.attributes[effect.type, path, cleared] += 1
        if "groupsEmptied" in effect.guards and effect.id != self.emptied:
            self.groups += 1
            self._sample("empty", effect, "left without a member")
            self.emptied = effect.id
        reason = left[effect.id] if effect.because else None
        if reason is not None:
            self.leavers[effect.type, effect.action, reason] += 1
        action = "update" if effect.action == "reference" else effect.action
        self._sample(action, effect, reason or _why(effect))

    def _sample(self, action: str, effect: Effect, reason: str) -> None:
        held = self.samples.setdefault(action, [])
        known = any(each.id == effect.id for each, _ in held)
        if self.named and len(held) < MOST_SAMPLES and not known:
            held.append((effect, reason))

    def by_attribute(self) -> Iterator[AttributeCount]:
        for kind, path in sorted({(kind, path) for kind, path, _ in self.attributes}):
            yield AttributeCount(
                type=kind,
                attribute=path,
                set=self.attributes[kind, path, False],
                cleared=self.attributes[kind, path, True],
            )


async def _samples(run: Run, sums: _Sums) -> tuple[Sample, ...]:
    chosen = [each for held in sums.samples.values() for each in held]
    names = await names_of(run, [effect for effect, _ in chosen])
    return tuple(
        Sample(action=action, name=names[effect.id], reason=reason)
        for action, held in sums.samples.items()
        for effect, reason in held
    )


async def breakdown(run: Run, *, named: bool) -> Breakdown:
    """Go through the outbox of an evaluation, batch by batch.

    `named` has some of each action named; nobody is otherwise.
    """
    sums, after, seen = _Sums(named), "", 0
    total = sum((await run.store.effect_counts()).get(run.rows, {}).values())
    while batch := await run.store.outbox_page(run.rows, after=after, limit=BATCH):
        left = await reasons(run, batch)
        for effect in batch:
            sums.add(effect, left)
        after, seen = batch[-1].key, seen + len(batch)
        run.progress("count", seen, total)
    return Breakdown(
        attributes=tuple(sums.by_attribute()),
        groups_emptied=sums.groups,
        leavers=tuple(
            LeaverCount(type=type_, action=action, reason=reason, count=count)
            for (type_, action, reason), count in sums.leavers.most_common()
        ),
        escrow_reasons=_counted(sums.escrowed),
        samples=await _samples(run, sums),
    )
