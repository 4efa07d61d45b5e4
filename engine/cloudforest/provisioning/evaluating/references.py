"""From objects to the writes of their references: after both ends exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.program import Rule
from cloudforest.model.provisioning import (
    PHASE_REFERENCE,
    Effect,
    Flat,
    ReferenceChange,
)
from cloudforest.provisioning.evaluating.evaluation import Evaluation, count, sends
from cloudforest.provisioning.evaluating.item import Item, identifier

BATCH = 500

Ends = Mapping[str, str | None]
"""The objects that a reference may name, with the resource ids that there are."""


def _change(
    rule: Rule, guids: tuple[str, ...], current: str | None, ends: Ends
) -> ReferenceChange | None:
    if not guids:
        kept = current is None or rule.when_null == "keep"
        change = ReferenceChange(path=rule.target, to=None, before=current)
        return None if kept else change
    to = next((guid for guid in guids if guid in ends), None)
    if to is None or (current is not None and ends[to] == current):
        return None
    return ReferenceChange(path=rule.target, to=to, before=current)


def _current(item: Item, main: Effect | None) -> Flat:
    """Return what we last wrote, or what an adoption found."""
    if item.link is not None:
        return item.link.written
    return {each.path: each.after for each in main.changes} if main else {}


def reference(item: Item, main: Effect | None, *, ends: Ends) -> Effect | None:
    """Return the write of the references that differ from what the target holds.

    Without another write of the object (`main`), it counts as an update.
    """
    current = _current(item, main)
    wanted = (
        _change(
            rule,
            item.desired.references.get(path, ()),
            identifier(current.get(path)),
            ends,
        )
        for path, rule in item.mapper.references.items()
    )
    needed = tuple(each for each in wanted if each is not None)
    if not needed:
        return None
    return replace(
        item.effect(),
        key=f"{item.row.id}/r",
        action="reference" if main else "update",
        phase=PHASE_REFERENCE,
        references=needed,
        guards=("attributesBlanked",) if any(e.to is None for e in needed) else (),
    )


def _possible(effect: Effect, ends: Ends) -> Effect | None:
    """Leave out what waits for its other end, or is so already."""
    possible = tuple(
        each
        for each in effect.references
        if each.to is None
        or (each.to in ends and (each.before is None or ends[each.to] != each.before))
    )
    if possible == effect.references:
        return effect
    return replace(effect, references=possible) if possible else None


async def ends_of(evaluation: Evaluation, named: Sequence[str]) -> Ends:
    """Return those of the objects that are linked or about to be, by this cycle."""
    run = evaluation.run
    linked = await run.store.resource_ids(run.job.target, named)
    missing = [guid for guid in named if guid not in linked]
    return {**await run.store.coming(run.rows, run.id, missing), **linked}


def _count(evaluation: Evaluation, effect: Effect, possible: Effect | None) -> None:
    if effect.guards:
        return
    if possible is not None:
        count(evaluation.run.counts, possible)
        evaluation.requests += sends(possible)
    elif effect.action == "update":
        evaluation.run.counts.unchanged += 1


async def evaluate_references(evaluation: Evaluation) -> None:
    """Keep and count the writes of references whose other end will be there."""
    run = evaluation.run
    after = ""
    while batch := await run.store.pending(
        run.rows, run.id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        named = [change.to for each in batch for change in each.references if change.to]
        ends = await ends_of(evaluation, named) if named else {}
        settled = [(each, _possible(each, ends)) for each in batch]
        for each, left in settled:
            _count(evaluation, each, left)
        fewer = [left for each, left in settled if left is not None and left != each]
        await run.store.save_effects(run.rows, run.id, fewer)
        none = [each.key for each, left in settled if left is None]
        await run.store.remove_effects(run.rows, none)
        after = batch[-1].key
