"""Evaluates one batch of objects: a fixed number of queries, whatever its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloudforest.model.provisioning import Effect, EvaluatedRows, SourceRow
from cloudforest.provisioning.evaluating.deciding import (
    decide,
    decide_references,
    examine,
    held,
)
from cloudforest.provisioning.evaluating.evaluation import (
    Evaluation,
    add_escrowed,
    add_pending,
)
from cloudforest.provisioning.evaluating.item import Item
from cloudforest.provisioning.evaluating.references import Ends
from cloudforest.provisioning.matching import Match, Wanted
from cloudforest.provisioning.run import Run

Effects = Mapping[str, Effect]


async def _examined(
    evaluation: Evaluation, rows: Sequence[SourceRow], prior: Effects
) -> list[Item | Effect]:
    run = evaluation.run
    links = await run.store.links(run.job.target, [row.id for row in rows])
    return [
        examine(
            row,
            evaluation.mappers[row.type],
            link=links.get(row.id),
            prior=prior.get(row.id),
            now=evaluation.now,
        )
        for row in rows
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


async def known_ends(run: Run, named: Sequence[str]) -> Ends:
    """Return the objects that a reference may name before all are evaluated."""
    known = await run.store.known(run.rows, run.job.target, named)
    resources = await run.store.resource_ids(run.job.target, named)
    return {guid: resources.get(guid) for guid in known}


def _named(item: Item) -> Iterator[str]:
    """Yield whom the object refers to."""
    for path in item.mapper.references:
        yield from item.desired.references.get(path, ())


async def _ends(evaluation: Evaluation, items: Sequence[Item]) -> Ends:
    """Return the objects that references may name."""
    run = evaluation.run
    named = [guid for item in items for guid in _named(item)]
    if not named:
        return {}
    return await known_ends(run, named)


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
    if main is not None and main.state == "pending":
        add_pending(evaluation, main)
    if other is not None and other.state == "pending" and other.guards:
        add_pending(evaluation, other)


async def _evaluate_items(
    evaluation: Evaluation, items: Sequence[Item], prior: Effects
) -> list[Effect]:
    now = evaluation.now
    kept = {item.row.id: effect for item in items if (effect := held(item, now))}
    free = [item for item in items if item.row.id not in kept]
    matches = await _matches(evaluation, free)
    ends = await _ends(evaluation, items)
    effects: list[Effect] = []
    for item in items:
        id_ = item.row.id
        main = kept.get(id_) or decide(item, matches.get(id_), now)
        other = decide_references(
            item, main, prior=prior.get(f"{id_}/r"), ends=ends, now=now
        )
        _add(evaluation, item, main, other)
        effects += [each for each in (main, other) if each is not None]
    return effects


async def evaluate_objects(evaluation: Evaluation, rows: Sequence[SourceRow]) -> None:
    """Put the effects of a batch of objects into the outbox, and count them."""
    run = evaluation.run
    mapped = [row for row in rows if row.type in evaluation.mappers]
    run.counts.skipped += len(rows) - len(mapped)
    keys = [key for row in mapped for key in (row.id, f"{row.id}/r")]
    prior = await run.store.effects(run.job.name, keys)
    saved: list[Effect] = []
    items: list[Item] = []
    for row, each in zip(
        mapped, await _examined(evaluation, mapped, prior), strict=True
    ):
        if isinstance(each, Item):
            items.append(each)
        else:
            add_escrowed(evaluation, each, row.dn, prior.get(row.id))
            saved.append(each)
    saved += await _evaluate_items(evaluation, items, prior)
    evaluated = EvaluatedRows(
        ids=tuple(row.id for row in mapped),
        effects=tuple(saved),
        references={item.row.id: tuple(_named(item)) for item in items},
    )
    await run.store.save_evaluated(run.rows, run.id, evaluation.digest, evaluated)
