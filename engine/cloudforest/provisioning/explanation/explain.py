"""Explain: one object's steps through a job, from the directory to the request."""

from __future__ import annotations

from dataclasses import replace as altered
from typing import Any

from cloudforest.model.effects import Effect
from cloudforest.model.messages import Gone, InScope, Lookup, OutOfScope
from cloudforest.model.source import SourceRow
from cloudforest.provisioning.differences import Item
from cloudforest.provisioning.evaluation.batch import needs_choice
from cloudforest.provisioning.evaluation.decide import decide, examine, held
from cloudforest.provisioning.evaluation.references import known_ends, reference
from cloudforest.provisioning.explanation.act import acted, as_it_stands
from cloudforest.provisioning.explanation.lookup import Found, find
from cloudforest.provisioning.explanation.scope import arrival, leaving
from cloudforest.provisioning.explanation.steps import (
    Step,
    Steps,
    linked,
    mapped,
    matched,
    told,
)
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.matching import Match, Matcher
from cloudforest.provisioning.run import Run
from cloudforest.provisioning.unique_values import Choosing, choose


async def _effects(run: Run, item: Item, match: Match) -> list[Effect]:
    """Return what the next cycle would put into the outbox for the object."""
    now = run.clock()
    main = held(item, now) or decide(item, match, now)
    if main is not None:
        main = as_it_stands(main, item.prior)
    if main is not None and main.state != "pending":
        return [main]
    named = [guid for guids in item.desired.references.values() for guid in guids]
    other = reference(item, main, ends=await known_ends(run, named))
    if other is not None and main is None:
        before = await run.store.effects(run.rows, [other.key])
        other = as_it_stands(other, before.get(other.key))
    return [each for each in (main, other) if each is not None]


async def _decided(
    run: Run, row: SourceRow, mapper: Mapper
) -> tuple[Steps, list[Effect]]:
    """Explain the match by the steps of an evaluation; return what follows."""
    links = await run.store.links(run.job.target, [row.id])
    link = links.get(row.id)
    prior = (await run.store.effects(run.rows, [row.id])).get(row.id)
    item = examine(row, mapper, link=link, prior=prior, now=run.clock())
    if item is None:
        return {"match": linked(link)} if link else {}, []
    if isinstance(item, Effect):
        return {"match": linked(link)} if link else {}, [item]
    match, step = await matched(run, item)
    if needs_choice(item, match):
        item = await _chosen(run, item)
    return {"match": step}, await _effects(run, item, match)


async def _chosen(run: Run, item: Item) -> Item:
    """Choose as a cycle does that has given nothing away yet."""
    waiting = Choosing(id=item.row.id, candidates=item.desired.candidates)
    try:
        chosen = await choose(Matcher(run), item.mapper, [waiting])
    finally:
        await run.store.clear_snapshot(run.picture)
    return altered(item, chosen=chosen.get(item.row.id, {}))


def _kept(record: InScope, stored: SourceRow | None) -> dict[str, tuple[str, ...]]:
    """Return what the object showed before, and what nothing proves to be gone."""
    before = stored.attributes if stored is not None else {}
    return {name: before[name] for name in record.missing if name in before}


async def _service_steps(run: Run, record: InScope, found: Found) -> Steps:
    """Explain match, map and act."""
    mapper = mappers(run.program, run.clock()).get(record.type)
    if mapper is None:
        return {}
    stored = await run.store.source(run.rows, record.id)
    row = SourceRow(
        id=record.id,
        type=record.type,
        dn=record.dn,
        parent=record.parent,
        anchor=record.anchor,
        attributes=record.attributes | _kept(record, stored),
        doubted=record.missing if stored is None else stored.doubted,
    )
    steps: dict[str, Step] = {"map": mapped(mapper, row)}
    match, effects = await _decided(run, row, mapper)
    group = record.id if record.type == "group" and mapper.members else None
    act = await acted(run, effects, group=group, members=found.members)
    return steps | dict(match) | {"act": act}


async def steps_of(run: Run, found: Found | None) -> dict[str, Step]:
    """Explain an object as it was found; write nothing."""
    steps = dict(await arrival(run, found))
    match found and found.record:
        case InScope() as record if found is not None:
            return steps | dict(await _service_steps(run, record, found))
        case OutOfScope() | Gone() as record:
            return steps | dict(await leaving(run, record))
        case _:
            return steps


async def explain(run: Run, lookup: Lookup) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`; write nothing."""
    found = await find(run, lookup)
    steps = await steps_of(run, found)
    return told(found.record.id if found else lookup.value, steps)
