"""Decides what one object needs: a write, a deprovision, nothing, or escrow. Pure."""

from __future__ import annotations

from dataclasses import replace as dataclasses_replace
from datetime import datetime

from msgspec.structs import replace

from cloudforest.model.effects import GIVEN_UP_PREFIX, PHASE_DEPROVISION, Change, Effect
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
from cloudforest.provisioning.mapper import ACTIVE, Mapper
from cloudforest.provisioning.matching import Match, MatchFailure

ANCHOR_CHANGED = (
    "anchor-changed: the source anchor differs from the one that the object was linked "
    "by. Correct it in the directory."
)
ADOPTED_NOT_DELETED = (
    "left-in-place: adopted resources are never deleted, and this type has no `active` "
    "attribute to disable it by."
)
NO_ACTIVE = "left-in-place: this type has no `active` attribute to disable it by."


def _hold_in_escrow(
    effect: Effect, previous: Effect | None, reason: str, now: datetime
) -> Effect:
    """Escrow an effect that cannot be tried, or keep it waiting for the same reason."""
    same = {reason, GIVEN_UP_PREFIX + reason}
    if previous is not None and previous.is_held(now) and previous.reason in same:
        return previous
    return effect.retried_as(previous).escrowed(reason, now)


def _keep_random_values(
    desired: DesiredValues, mapper: Mapper, previous: Effect | None
) -> DesiredValues:
    """Keep the random values of a write that still waits.

    New ones would change its fingerprint, and a staged write could never be allowed.
    """
    values = previous.after_values if previous is not None else {}
    paths = [each for each in mapper.random_paths if values.get(each) is not None]
    kept = {path: values[path] for path in paths}
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

    def hold(reason: str) -> Effect:
        blank = build_blank_effect(source, mapper, link, previous)
        return _hold_in_escrow(blank, previous, reason, now)

    if link is not None and link.source_anchor != source.source_anchor:
        return hold(ANCHOR_CHANGED)
    try:
        desired = mapper.map_object(source)
    except MappingFault as fault:
        return hold(f"mapping-fault: {fault}")
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


def decide_effect(candidate: Candidate, match: Match, now: datetime) -> Effect | None:
    """Return the write of an object; `match` matters only if it has no link."""
    if isinstance(match, MatchFailure):
        values = candidate.desired.values.items()
        changes = tuple(Change(path=p, after=v) for p, v in values if v is not None)
        adoption = candidate.build_effect(action="adopt", changes=changes)
        return _hold_in_escrow(adoption, candidate.previous, match.reason, now)
    try:
        effect = build_write(
            dataclasses_replace(candidate, observed=match) if match else candidate
        )
    except MappingFault as fault:
        reason = f"mapping-fault: {fault}"
        return _hold_in_escrow(
            candidate.build_effect(), candidate.previous, reason, now
        )
    previous = candidate.previous
    if effect is None or previous is None or previous.desired != effect.desired:
        return effect
    return effect.retried_as(previous)


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


def decide_deprovision(
    source: SourceObject, mapper: Mapper, link: Link
) -> Effect | None:
    """Return the effect that removes the object's access; None: nothing to do.

    Adopted resources may be disabled, but are never deleted.
    """
    actions = mapper.program.deprovision
    action = actions.deleted if source.presence == "gone" else actions.out_of_scope
    if action == "keep":
        return None
    blank = replace(
        build_blank_effect(source, mapper, link, None),
        action=action,
        anchor=link.source_anchor,
        phase=PHASE_DEPROVISION,
        desired=f"{action} {link.resource}",
        because=source.presence,
    )
    if action == "delete" and link.origin != "adopted":
        return replace(blank, guards=("deletes",))
    if not mapper.has_active:
        reason = ADOPTED_NOT_DELETED if action == "delete" else NO_ACTIVE
        return replace(blank, state="skipped", reason=reason)
    was_active = link.last_written.get(ACTIVE)
    if was_active is False:
        return None
    change = Change(path=ACTIVE, before=was_active, after=False)
    return replace(blank, action="disable", changes=(change,), guards=("disables",))
