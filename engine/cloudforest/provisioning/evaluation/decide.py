"""Decides what one object needs: a write, nothing, or to be held back. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from msgspec.structs import replace as altered

from cloudforest.model.effects import (
    GIVEN_UP,
    Change,
    Effect,
    after_values,
    again,
    escrow,
    is_held,
)
from cloudforest.model.source import Link, SourceRow
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.program.mapping.desired import Desired
from cloudforest.provisioning.differences import Item, as_written, blank_effect, write
from cloudforest.provisioning.evaluation.references import Ends, reference
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Ambiguous, Match

ANCHOR_CHANGED = (
    "anchor-changed: the source anchor is not the one that the object was linked by."
)


def _held_back(
    effect: Effect, prior: Effect | None, reason: str, now: datetime
) -> Effect:
    """Escrow what can't even be tried; what waits for the same reason goes on so."""
    if prior is not None and is_held(prior, now) and _says(prior, reason):
        return prior
    return escrow(again(effect, prior), reason, now)


def _says(prior: Effect, reason: str) -> bool:
    return prior.reason in {reason, GIVEN_UP + reason}


def _sentence(fault: MappingFault) -> str:
    return f"mapping-fault: {fault.path}: {fault.reason}"


def examine(
    row: SourceRow,
    mapper: Mapper,
    *,
    link: Link | None,
    prior: Effect | None,
    now: datetime,
) -> Item | Effect | None:
    """Map an object, or escrow it when that can't be done; None: it is ignored."""
    if link is not None and link.anchor != row.anchor:
        blank = blank_effect(row, mapper, link, prior)
        return _held_back(blank, prior, ANCHOR_CHANGED, now)
    try:
        desired = mapper.desire(row)
    except MappingFault as fault:
        blank = blank_effect(row, mapper, link, prior)
        return _held_back(blank, prior, _sentence(fault), now)
    except ObjectIgnored:
        return None
    if mapper.drawn:
        desired = _as_drawn(desired, mapper, prior)
    item = Item(row=row, mapper=mapper, desired=desired, link=link, prior=prior)
    return item if link is None else as_written(item, link)


def _as_drawn(desired: Desired, mapper: Mapper, prior: Effect | None) -> Desired:
    """Keep the values that were drawn for a write that still waits.

    Otherwise a wish would never be the one that was staged and allowed.
    """
    values = after_values(prior) if prior is not None else {}
    drawn = {
        path: values[path] for path in mapper.drawn if values.get(path) is not None
    }
    return altered(desired, values={**desired.values, **drawn})


def held(item: Item, now: datetime) -> Effect | None:
    """Return the effect that stays in escrow: not due, and for the same wish."""
    prior = item.prior
    if prior is None or not is_held(prior, now):
        return None
    return prior if prior.desired == item.digest else None


def _unmatched(item: Item, reason: str, now: datetime) -> Effect:
    values = item.desired.values.items()
    effect = altered(
        item.effect(),
        action="adopt",
        changes=tuple(Change(path=p, after=v) for p, v in values if v is not None),
    )
    return _held_back(effect, item.prior, reason, now)


def decide(item: Item, match: Match, now: datetime) -> Effect | None:
    """Return the write of an object, whose match is known if it has no link."""
    if isinstance(match, Ambiguous):
        return _unmatched(item, match.reason, now)
    try:
        effect = write(replace(item, matched=match) if match else item)
    except MappingFault as fault:
        return _held_back(item.effect(), item.prior, _sentence(fault), now)
    if effect is None or item.prior is None or item.prior.desired != effect.desired:
        return effect
    return again(effect, item.prior)


def decide_references(
    item: Item, main: Effect | None, *, prior: Effect | None, ends: Ends, now: datetime
) -> Effect | None:
    """Return the write of an object's references; None while it has no resource."""
    pending = main is not None and main.state == "pending"
    if (item.link is None or item.matched) and not pending:
        return None
    effect = reference(item, main, ends=ends, prior=prior)
    if effect is None or prior is None or prior.references != effect.references:
        return effect
    if is_held(prior, now):
        return prior
    return again(effect, prior)
