"""Decides what one object needs: a write, nothing, or to be held back. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from msgspec.structs import replace as altered

from cloudforest.model.effects import (
    GIVEN_UP_PREFIX,
    Change,
    Effect,
)
from cloudforest.model.source import Link, SourceObject
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.program.mapping.desired import DesiredValues
from cloudforest.provisioning.differences import (
    Candidate,
    build_blank_effect,
    build_write,
    with_last_written,
)
from cloudforest.provisioning.evaluation.references import (
    ReferableObjects,
    build_reference_effect,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Match, MatchFailure

ANCHOR_CHANGED = (
    "anchor-changed: the source anchor is not the one that the object was linked by."
)


def _hold_in_escrow(
    effect: Effect, previous: Effect | None, reason: str, now: datetime
) -> Effect:
    """Escrow what can't even be tried; what waits for the same reason goes on so."""
    if previous is not None and previous.is_held(now) and _has_reason(previous, reason):
        return previous
    return effect.retried_as(previous).escrowed(reason, now)


def _has_reason(previous: Effect, reason: str) -> bool:
    return previous.reason in {reason, GIVEN_UP_PREFIX + reason}


def _mapping_fault_reason(fault: MappingFault) -> str:
    return f"mapping-fault: {fault.path}: {fault.reason}"


def map_source_object(
    source: SourceObject,
    mapper: Mapper,
    *,
    link: Link | None,
    previous: Effect | None,
    now: datetime,
) -> Candidate | Effect | None:
    """Map an object, or escrow it when that can't be done; None: it is ignored."""
    if link is not None and link.source_anchor != source.source_anchor:
        blank = build_blank_effect(source, mapper, link, previous)
        return _hold_in_escrow(blank, previous, ANCHOR_CHANGED, now)
    try:
        desired = mapper.map_object(source)
    except MappingFault as fault:
        blank = build_blank_effect(source, mapper, link, previous)
        return _hold_in_escrow(blank, previous, _mapping_fault_reason(fault), now)
    except ObjectIgnored:
        return None
    if mapper.random_paths:
        desired = _keep_random_values(desired, mapper, previous)
    candidate = Candidate(
        source=source, mapper=mapper, desired=desired, link=link, previous=previous
    )
    return candidate if link is None else with_last_written(candidate, link)


def _keep_random_values(
    desired: DesiredValues, mapper: Mapper, previous: Effect | None
) -> DesiredValues:
    """Keep the values that were drawn for a write that still waits.

    Otherwise a wish would never be the one that was staged and allowed.
    """
    values = previous.after_values if previous is not None else {}
    drawn = {
        path: values[path]
        for path in mapper.random_paths
        if values.get(path) is not None
    }
    return altered(desired, values={**desired.values, **drawn})


def find_waiting_effect(candidate: Candidate, now: datetime) -> Effect | None:
    """Return the effect that stays in escrow: not due, and for the same wish."""
    prior = candidate.previous
    if prior is None or not prior.is_held(now):
        return None
    return prior if prior.desired == candidate.desired_digest else None


def _escrow_unmatched(candidate: Candidate, reason: str, now: datetime) -> Effect:
    values = candidate.desired.values.items()
    effect = altered(
        candidate.build_effect(),
        action="adopt",
        changes=tuple(Change(path=p, after=v) for p, v in values if v is not None),
    )
    return _hold_in_escrow(effect, candidate.previous, reason, now)


def decide_effect(candidate: Candidate, match: Match, now: datetime) -> Effect | None:
    """Return the write of an object, whose match is known if it has no link."""
    if isinstance(match, MatchFailure):
        return _escrow_unmatched(candidate, match.reason, now)
    try:
        effect = build_write(replace(candidate, observed=match) if match else candidate)
    except MappingFault as fault:
        return _hold_in_escrow(
            candidate.build_effect(),
            candidate.previous,
            _mapping_fault_reason(fault),
            now,
        )
    if (
        effect is None
        or candidate.previous is None
        or candidate.previous.desired != effect.desired
    ):
        return effect
    return effect.retried_as(candidate.previous)


def decide_references(
    candidate: Candidate,
    main_effect: Effect | None,
    *,
    previous: Effect | None,
    referable: ReferableObjects,
    now: datetime,
) -> Effect | None:
    """Return the write of an object's references; None while it has no resource."""
    pending = main_effect is not None and main_effect.state == "pending"
    if (candidate.link is None or candidate.observed) and not pending:
        return None
    effect = build_reference_effect(
        candidate, main_effect, referable=referable, previous=previous
    )
    if effect is None or previous is None or previous.references != effect.references:
        return effect
    if previous.is_held(now):
        return previous
    return effect.retried_as(previous)
