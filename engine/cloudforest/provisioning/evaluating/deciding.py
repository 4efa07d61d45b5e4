"""Decides what one object needs: a write, nothing, or to be held back. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from msgspec.structs import replace as altered

from cloudforest.model.provisioning import Change, Effect, Link, SourceRow
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.escrow import after_values, escrow, is_held
from cloudforest.provisioning.evaluating.differences import write
from cloudforest.provisioning.evaluating.item import Item, blank_effect
from cloudforest.provisioning.evaluating.references import Ends, reference
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Ambiguous, Match

ANCHOR_CHANGED = (
    "anchor-changed: the source anchor is not the one that the object was linked by."
)


def _attempts(prior: Effect | None) -> int:
    return prior.attempts if prior is not None and prior.state == "escrowed" else 0


def examine(
    row: SourceRow,
    mapper: Mapper,
    *,
    link: Link | None,
    prior: Effect | None,
    now: datetime,
) -> Item | Effect:
    """Map an object, or escrow it when that can't be done."""
    blank = altered(blank_effect(row, mapper, link), attempts=_attempts(prior))
    if link is not None and link.anchor != row.anchor:
        return escrow(blank, ANCHOR_CHANGED, now)
    try:
        desired = mapper.desire(row)
    except MappingFault as fault:
        return escrow(blank, f"mapping-fault: {fault.path}: {fault.reason}", now)
    return Item(row=row, mapper=mapper, desired=desired, link=link, prior=prior)


def held(item: Item, now: datetime) -> Effect | None:
    """Return the effect that stays in escrow: not due, and it would be the same."""
    prior = item.prior
    if prior is None or not is_held(prior, now):
        return None
    effect = write(item)
    if effect is None:
        return None
    before, now_wanted = after_values(prior), after_values(effect)
    if item.link is None:
        return prior if before.items() >= now_wanted.items() else None
    return prior if before == now_wanted else None


def _with_attempts(prior: Effect | None, effect: Effect) -> Effect:
    """Let a retry of the same write wait longer if it fails again."""
    if prior is None or after_values(prior) != after_values(effect):
        return effect
    return altered(effect, attempts=_attempts(prior))


def _unmatched(item: Item, reason: str, now: datetime) -> Effect:
    values = item.desired.values.items()
    effect = altered(
        blank_effect(item.row, item.mapper, None),
        action="adopt",
        attempts=_attempts(item.prior),
        changes=tuple(Change(path=p, after=v) for p, v in values if v is not None),
    )
    return escrow(effect, reason, now)


def decide(item: Item, match: Match, now: datetime) -> Effect | None:
    """Return the write of an object, whose match is known if it has no link."""
    if isinstance(match, Ambiguous):
        return _unmatched(item, match.reason, now)
    effect = write(replace(item, matched=match))
    return _with_attempts(item.prior, effect) if effect else None


def decide_references(
    item: Item, main: Effect | None, *, prior: Effect | None, ends: Ends, now: datetime
) -> Effect | None:
    """Return the write of an object's references; None while it has no resource."""
    pending = main is not None and main.state == "pending"
    if item.link is None and not pending:
        return None
    effect = reference(item, alone=main is None, ends=ends)
    if effect is None or prior is None or prior.references != effect.references:
        return effect
    if is_held(prior, now):
        return prior
    return altered(effect, attempts=_attempts(prior))
