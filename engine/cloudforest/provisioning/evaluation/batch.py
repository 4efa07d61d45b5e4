"""Evaluates one batch of objects: a fixed number of queries, whatever its size.

After a restart that doubts links: what the target really holds under their ids.

Unique values for the objects of a batch that are to be created.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as altered

from msgspec.structs import replace

from cloudforest.model.effects import Effect, EvaluatedRows
from cloudforest.model.ports.target import NotThere, Refusal
from cloudforest.model.source import Link, SourceRow
from cloudforest.provisioning.differences import Item
from cloudforest.provisioning.evaluation.decide import (
    decide,
    decide_references,
    examine,
    held,
)
from cloudforest.provisioning.evaluation.deprovision import (
    evaluate_lost,
    held_elsewhere,
)
from cloudforest.provisioning.evaluation.references import (
    Ends,
    known_ends,
    with_references,
)
from cloudforest.provisioning.evaluation.state import Evaluation, add, add_escrowed
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Looked, Match, Wanted, look
from cloudforest.provisioning.unique_values import Choosing, Chosen, choose


async def _keep_members(evaluation: Evaluation, mapper: Mapper, link: Link) -> None:
    """Count no longer as written what the group does not have.

    A target that does not say leaves it as it was: we would never remove anybody.
    """
    run = evaluation.run
    try:
        present = await run.target.member_ids(mapper.resource_type, link.resource)
    except NotThere:
        present = frozenset()
    except Refusal:
        return
    await run.store.keep_written(run.job.target, link.id, present)


async def look_again(
    evaluation: Evaluation, rows: Sequence[SourceRow], links: Mapping[str, Link]
) -> Looked:
    """Return the resources of the doubted links, as the target holds them now."""
    looked = Looked()
    for kind, mapper in evaluation.mappers.items():
        its = [links[row.id] for row in rows if row.type == kind and row.id in links]
        doubted = {each.resource: each for each in its if not each.checked}
        if doubted:
            await look(evaluation.matcher, mapper, doubted, looked)
        for link in doubted.values() if mapper.members else ():
            await _keep_members(evaluation, mapper, link)
    return looked


def needs_choice(item: Item, match: Match) -> bool:
    """Tell whether the object is to be created, with a value of its own."""
    new = item.link is None and item.matched is None and match is None
    return new and bool(item.desired.candidates)


async def with_choices(
    evaluation: Evaluation, items: Sequence[Item], matches: Mapping[str, Match]
) -> list[Item]:
    """Choose the unique values of those who are to be created."""
    chosen: Chosen = {}
    for mapper in evaluation.mappers.values():
        waiting = [
            Choosing(id=item.row.id, candidates=item.desired.candidates)
            for item in items
            if item.mapper is mapper and needs_choice(item, matches.get(item.row.id))
        ]
        if waiting:
            chosen |= await choose(evaluation.matcher, mapper, waiting)
    return [
        altered(each, chosen=chosen[each.row.id]) if each.row.id in chosen else each
        for each in items
    ]


Effects = Mapping[str, Effect]
HELD = frozenset({"in", "unknown"})


async def _examined(
    evaluation: Evaluation, rows: Sequence[SourceRow], prior: Effects
) -> list[Item | Effect | None]:
    """Map the objects; None is one that the mapping leaves as it is."""
    run = evaluation.run
    links = await run.store.links(run.job.target, [row.id for row in rows])
    looked = await look_again(evaluation, rows, links)
    examined = [
        examine(
            row,
            evaluation.mappers[row.type],
            link=None if row.id in looked.gone else links.get(row.id),
            prior=prior.get(row.id),
            now=evaluation.now,
        )
        for row in rows
    ]
    return [
        altered(each, matched=looked.found[each.row.id])
        if isinstance(each, Item) and each.row.id in looked.found
        else each
        for each in examined
    ]


async def _matches(evaluation: Evaluation, items: Sequence[Item]) -> dict[str, Match]:
    """Match those of the objects that have no link, type by type."""
    matches: dict[str, Match] = {}
    for mapper in evaluation.mappers.values():
        wanted = [
            Wanted(id=item.row.id, values=item.desired.values)
            for item in items
            if item.mapper is mapper and item.link is None
        ]
        matches |= await evaluation.matcher.match(mapper, wanted)
    return matches


def _named(item: Item) -> Iterator[str]:
    """Yield whom the object refers to."""
    for path in item.mapper.references:
        yield from item.desired.references.get(path, ())


async def _ends(evaluation: Evaluation, items: Sequence[Item]) -> Ends:
    """Return the objects that references may name."""
    named = [guid for item in items for guid in _named(item)]
    return await known_ends(evaluation.run, named)


def _add(
    evaluation: Evaluation, item: Item, main: Effect | None, other: Effect | None
) -> None:
    """Count an object; references that no budget bears are counted later."""
    first = main or other
    if first is None:
        evaluation.run.counts.unchanged += 1
    elif first.state == "escrowed":
        prior = item.prior if main else first
        add_escrowed(evaluation, first, item.row.dn, prior)
    if main is not None:
        add(evaluation, main)
    if other is not None and (other.guards or other.state != "pending"):
        add(evaluation, other)


def _decide(
    evaluation: Evaluation, item: Item, match: Match, ends: Ends
) -> Effect | None:
    """Return the object's write as it stands. A first cycle may create freely."""
    effect = with_references(item, decide(item, match, evaluation.now), ends)
    if effect is None or effect.state != "pending":
        return effect
    if evaluation.creates_freely:
        free = tuple(each for each in effect.guards if each != "creates")
        effect = replace(effect, guards=free)
    return evaluation.standing.of(effect, item.prior)


async def _evaluate_items(
    evaluation: Evaluation, items: Sequence[Item], prior: Effects
) -> list[Effect]:
    now = evaluation.now
    kept = {item.row.id: effect for item in items if (effect := held(item, now))}
    free = [item for item in items if item.row.id not in kept]
    matches = await _matches(evaluation, free)
    given = {
        each.row.id: each for each in await with_choices(evaluation, free, matches)
    }
    items = [given.get(each.row.id, each) for each in items]
    ends = await _ends(evaluation, items)
    effects: list[Effect] = []
    for item in items:
        id_ = item.row.id
        main = kept.get(id_) or _decide(evaluation, item, matches.get(id_), ends)
        elder = prior.get(f"{id_}/r")
        other = decide_references(item, main, prior=elder, ends=ends, now=now)
        if other is not None and other.state == "pending":
            other = evaluation.standing.of(other, elder)
        _add(evaluation, item, main, other)
        effects += [each for each in (main, other) if each is not None]
    return effects


async def _evaluate_held(
    evaluation: Evaluation, rows: Sequence[SourceRow], prior: Effects
) -> EvaluatedRows:
    """Return what a batch of objects in scope needs, counted.

    Who is ignored stays unsettled: time may change it, without a change of the object.
    """
    mapped = [row for row in rows if row.type in evaluation.mappers]
    evaluation.run.counts.skipped += len(rows) - len(mapped)
    effects: list[Effect] = []
    items: list[Item] = []
    ignored: set[str] = set()
    for row, each in zip(
        mapped, await _examined(evaluation, mapped, prior), strict=True
    ):
        if each is None:
            ignored.add(row.id)
        elif isinstance(each, Item):
            items.append(each)
        else:
            add_escrowed(evaluation, each, row.dn, prior.get(row.id))
            effects.append(each)
    effects += await _evaluate_items(evaluation, items, prior)
    evaluation.run.counts.skipped += len(ignored)
    return EvaluatedRows(
        ids=tuple(row.id for row in mapped if row.id not in ignored),
        effects=tuple(effects),
        references={item.row.id: tuple(_named(item)) for item in items},
    )


async def evaluate_objects(evaluation: Evaluation, rows: Sequence[SourceRow]) -> None:
    """Put the effects of a batch of objects into the outbox, and count them.

    Who left and is held by another job of the target is forgotten: should that job be
    removed, what it alone held stays in place.
    """
    run = evaluation.run
    keys = [key for row in rows for key in (row.id, f"{row.id}/r")]
    prior = await run.store.effects(run.job.name, keys)
    there = [row for row in rows if row.state in HELD]
    away = [row for row in rows if row.state not in HELD]
    left = await held_elsewhere(run, [row.id for row in away])
    lost = [row for row in away if row.id not in left]
    evaluated = await _evaluate_held(evaluation, there, prior)
    deprovisioned = await evaluate_lost(evaluation, lost, prior) if lost else []
    evaluated = replace(
        evaluated,
        ids=(*evaluated.ids, *[row.id for row in lost]),
        effects=(*evaluated.effects, *deprovisioned),
        left=tuple(left),
    )
    if run.is_scratch:
        # Nobody evaluates scratch rows again: which of them are settled says nothing.
        evaluated = replace(evaluated, ids=(), references={})
    await run.store.save_evaluated(run.rows, run.id, evaluation.digest, evaluated)
