"""Decides what one object needs: a write, nothing, or escrow. Pure."""

from __future__ import annotations

from dataclasses import replace as dataclasses_replace
from datetime import datetime

from msgspec.structs import replace

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
    "anchor-changed: the source anchor differs from the one that the object was linked "
    "by. Correct it in the directory."
)


def _hold_in_escrow(
    effect: Effect, previous: Effect | None, reason: str, now: datetime
) -> Effect:
    """Escrow an effect that cannot be tried, or keep it waiting for the same reason."""
    if (
        previous is not None
        and previous.is_held(now)
        and previous.reason in {reason, GIVEN_UP_PREFIX + reason}
    ):
        return previous
    return effect.retried_as(previous).escrowed(reason, now)


def _keep_random_values(
    desired: DesiredValues, mapper: Mapper, previous: Effect | None
) -> DesiredValues:
    """Keep the random values of a write that still waits.

    New ones would change its fingerprint, and a staged write could never be allowed.
    """
    values = previous.after_values if previous is not None else {}
    kept = {
        path: values[path]
        for path in mapper.random_paths
        if values.get(path) is not None
    }
    return replace(desired, values={**desired.values, **kept})


def map_source_object(
    source: SourceObject,
    mapper: Mapper,
    *,
    link: Link | None,
    previous: Effect | None,
    now: datetime,
) -> Candidate | Effect | None:
    """Map an object, or escrow it if that fails; None: the mapping ignores it."""
    if link is not None and link.source_anchor != source.source_anchor:
        blank = build_blank_effect(source, mapper, link, previous)
        return _hold_in_escrow(blank, previous, ANCHOR_CHANGED, now)
    try:
        desired = mapper.map_object(source)
    except MappingFault as fault:
        blank = build_blank_effect(source, mapper, link, previous)
        return _hold_in_escrow(blank, previous, f"mapping-fault: {fault}", now)
    except ObjectIgnored:
        return None
    if mapper.random_paths:
        desired = _keep_random_values(desired, mapper, previous)
    candidate = Candidate(
        source=source, mapper=mapper, desired=desired, link=link, previous=previous
    )
    return candidate if link is None else with_last_written(candidate, link)


def find_waiting_effect(candidate: Candidate, now: datetime) -> Effect | None:
    """Return the previous effect if it stays in escrow: not due, still wanted."""
    previous = candidate.previous
    if previous is None or not previous.is_held(now):
        return None
    return previous if previous.desired == candidate.desired_digest else None


def _escrow_unmatched(candidate: Candidate, reason: str, now: datetime) -> Effect:
    values = candidate.desired.values.items()
    effect = replace(
        candidate.build_effect(),
        action="adopt",
        changes=tuple(Change(path=p, after=v) for p, v in values if v is not None),
    )
    return _hold_in_escrow(effect, candidate.previous, reason, now)


def decide_effect(candidate: Candidate, match: Match, now: datetime) -> Effect | None:
    """Return the write of an object; `match` matters only if it has no link."""
    if isinstance(match, MatchFailure):
        return _escrow_unmatched(candidate, match.reason, now)
    try:
        effect = build_write(
            dataclasses_replace(candidate, observed=match) if match else candidate
        )
    except MappingFault as fault:
        return _hold_in_escrow(
            candidate.build_effect(),
            candidate.previous,
            f"mapping-fault: {fault}",
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
    is_pending = main_effect is not None and main_effect.state == "pending"
    if (candidate.link is None or candidate.observed) and not is_pending:
        return None
    effect = build_reference_effect(
        candidate, main_effect, referable=referable, previous=previous
    )
    if effect is None or previous is None or previous.references != effect.references:
        return effect
    if previous.is_held(now):
        return previous
    return effect.retried_as(previous)
