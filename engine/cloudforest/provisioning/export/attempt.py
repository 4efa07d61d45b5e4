"""Attempts one effect and turns its failure into an outcome.

In a change of members, a refused member holds back only itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_ADOPT,
    PHASE_REFERENCE,
    PHASE_RETRY,
    Effect,
    Outcome,
    ReferenceChange,
    build_membership_key,
)
from cloudforest.model.ports.target import Conflict, Refusal, ResourceNotFound
from cloudforest.model.program import ObjectType
from cloudforest.model.source import FlatResource, TargetResource
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.differences import compare_with_observed, find_budgets
from cloudforest.provisioning.export.requests import PreparedEffect, send_effect
from cloudforest.provisioning.export.value_swaps import (
    CONFLICT_PREFIX,
    find_blocking_stage,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    ALREADY_LINKED,
    MatchFailure,
    find_match,
    reject_owned_matches,
)
from cloudforest.provisioning.run import CycleContext

GUARDED_IN_ADOPTIONS = frozenset({"disables", "rekeys"})
"""Budgets that an adoption found only at export would evade."""
NOT_GUARDED_YET = (
    "conflict: adopting the conflicting resource would disable it or change its key. "
    "The next attempt adopts it, if the guard allows."
)


def build_escrow_outcome(
    context: CycleContext, effect: Effect, status: int | None, reason: str
) -> Outcome:
    """Put an effect in escrow; a 4xx status proves that nothing was created."""
    refused = (
        status is not None
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
    effect = replace(effect, sent=effect.sent and not refused)
    escrowed = effect.escrowed(reason, context.clock())
    return Outcome(effect=escrowed, state="escrowed", status=status, reason=reason)


def _refusal_reason(refusal: Refusal) -> str:
    prefix = "gone-at-target: " if isinstance(refusal, ResourceNotFound) else ""
    return f"{prefix}{refusal.reason}"


def _split(effect: Effect, size: int) -> Iterator[Effect]:
    """Cut a change of members into changes of at most `size` members."""
    for at in range(0, len(effect.add), size):
        yield replace(effect, add=effect.add[at : at + size], remove=())
    for at in range(0, len(effect.remove), size):
        yield replace(effect, add=(), remove=effect.remove[at : at + size])


def _escrow_each(
    context: CycleContext, effect: Effect, refusal: Refusal
) -> list[Outcome]:
    """Put each membership in escrow by itself."""
    reason = _refusal_reason(refusal)
    outcomes = []
    for single in _split(effect, 1):
        key = build_membership_key(effect.id, (*single.add, *single.remove)[0])
        single_effect = replace(single, key=key)
        outcomes.append(
            build_escrow_outcome(context, single_effect, refusal.status, reason)
        )
    return outcomes


async def _has_resource(context: CycleContext, effect: Effect, resource: str) -> bool:
    try:
        await context.target.list_member_ids(effect.resource_type, resource)
    except Refusal:
        return False
    return True


async def _send_change(
    context: CycleContext, prepared: PreparedEffect, effect: Effect, resource: str
) -> list[Outcome]:
    """Send a change; halve a refused one until single memberships are left."""
    try:
        await context.target.change_members(
            effect.resource_type,
            resource,
            add=[prepared.resource_ids[each] for each in effect.add],
            remove=[prepared.resource_ids[each] for each in effect.remove],
        )
    except Refusal as refusal:
        size = len(effect.add) + len(effect.remove)
        is_gone = isinstance(refusal, ResourceNotFound) and not await _has_resource(
            context, effect, resource
        )
        if size == 1 or is_gone:
            return _escrow_each(context, effect, refusal)
        halves = _split(effect, (size + 1) // 2)
        return [
            outcome
            for half in halves
            for outcome in await _send_change(context, prepared, half, resource)
        ]
    return [
        Outcome(
            effect=effect,
            state="done",
            added=effect.add,
            removed=effect.remove,
            status=200,
        )
    ]


async def write_members(
    context: CycleContext, prepared: PreparedEffect
) -> list[Outcome]:
    """Write the memberships whose member exists in the target."""
    effect, link = prepared.effect, prepared.link
    if link is None:
        return []
    if effect.present:
        # The members were read from `effect.resource`; another resource has others.
        is_same = link.resource == effect.resource
        return [Outcome(effect=effect, state="done", added=effect.present)] * is_same
    possible = replace(
        effect,
        add=tuple(each for each in effect.add if each in prepared.resource_ids),
        remove=tuple(each for each in effect.remove if each in prepared.resource_ids),
    )
    if not possible.add and not possible.remove:
        return []
    outcomes = await _send_change(context, prepared, possible, link.resource)
    return [Outcome(effect=replace(effect, add=(), remove=()), state="done"), *outcomes]


def _postpone(effect: Effect) -> Outcome:
    """Try again after the other writes of this cycle."""
    phase = PHASE_ADOPT if effect.is_creation else PHASE_RETRY
    return Outcome(effect=replace(effect, phase=phase, sent=False), state="pending")


def _values_without_references(mapper: Mapper, effect: Effect) -> FlatResource:
    """Return the values that an effect writes, except references."""
    values = effect.after_values
    return {
        path: v for path, v in values.items() if path not in mapper.reference_mappings
    }


async def _adopt_conflicting(
    context: CycleContext, mapper: Mapper, prepared: PreparedEffect
) -> Outcome | None:
    """Look up the resource that blocks a creation; adopt it if it is the object's own.

    None: no resource matches the object.
    """
    effect = replace(prepared.effect, sent=False)
    values = _values_without_references(mapper, effect)
    match = await find_match(context, mapper, values)
    if isinstance(match, TargetResource):
        match = (await reject_owned_matches(context, {effect.id: match}))[effect.id]
    if isinstance(match, MatchFailure):
        return build_escrow_outcome(context, effect, HTTPStatus.CONFLICT, match.reason)
    if match is None:
        return None
    changes = compare_with_observed(mapper, values, match)
    if GUARDED_IN_ADOPTIONS.intersection(find_budgets(mapper, changes)):
        return build_escrow_outcome(
            context, effect, HTTPStatus.CONFLICT, NOT_GUARDED_YET
        )
    if not context.claim_resource(match.id, effect.id):
        return build_escrow_outcome(
            context, effect, HTTPStatus.CONFLICT, ALREADY_LINKED
        )
    adoption = replace(
        effect, action="adopt", resource=match.id, changes=changes, guards=()
    )
    return await send_effect(
        context.target, PreparedEffect(adoption, prepared.link, prepared.resource_ids)
    )


async def _resolve_conflict(
    context: CycleContext,
    mapper: Mapper,
    prepared: PreparedEffect,
    refusal: Conflict,
    *,
    is_last: bool,
) -> Outcome:
    """Postpone a conflict until the other writes are done: they may resolve it."""
    effect = prepared.effect
    if effect.phase < PHASE_RETRY:
        return _postpone(effect)
    if not is_last:
        return Outcome(effect=effect, state="pending")
    if effect.is_creation:
        adopted = await _adopt_conflicting(context, mapper, prepared)
        if adopted is not None:
            return adopted
    reason = await find_blocking_stage(context, mapper, effect)
    return build_escrow_outcome(
        context, effect, refusal.status, reason or f"{CONFLICT_PREFIX}{refusal.reason}"
    )


async def _create_without_references(
    context: CycleContext, mapper: Mapper, prepared: PreparedEffect
) -> list[Outcome]:
    """Create without references, so that a bad reference cannot block the creation.

    The references become a separate effect, later in this cycle.
    """
    effect = prepared.effect
    values = _values_without_references(mapper, effect)
    referenced = {
        each.path: each.after for each in effect.changes if each.path not in values
    }
    objects = await context.store.find_linked_objects(
        context.job.target, list(referenced.values())
    )
    references = tuple(
        ReferenceChange(path=path, to=objects[resource])
        for path, resource in referenced.items()
        if resource in objects
    )
    later = replace(
        effect,
        key=f"{effect.id}/r",
        action="reference",
        phase=PHASE_REFERENCE,
        changes=(),
        references=references,
        guards=(),
    )
    changes = tuple(each for each in effect.changes if each.path in values)
    creation = PreparedEffect(
        replace(effect, changes=changes), prepared.link, prepared.resource_ids
    )
    outcomes = await _attempt_object(context, mapper, creation, is_last=True)
    return [*outcomes, *[Outcome(effect=later, state="pending")] * bool(references)]


async def _send_or_resolve(
    context: CycleContext, mapper: Mapper, prepared: PreparedEffect, *, is_last: bool
) -> Outcome | None:
    try:
        outcome = await send_effect(context.target, prepared)
    except Conflict as refusal:
        return await _resolve_conflict(
            context, mapper, prepared, refusal, is_last=is_last
        )
    link = outcome.link if outcome else None
    if (
        link is not None
        and prepared.link is None
        and not context.claim_resource(link.resource, link.object_guid)
    ):
        return build_escrow_outcome(
            context, prepared.effect, HTTPStatus.CONFLICT, ALREADY_LINKED
        )
    return outcome


def _finish_written_references(outcome: Outcome) -> list[Outcome]:
    """Complete the effect of the references that the creation has written."""
    effect = outcome.effect
    if outcome.state != "done" or not effect.is_creation:
        return []
    reference_effect = replace(
        effect, key=f"{effect.id}/r", action="reference", guards=()
    )
    return [Outcome(effect=reference_effect, state="done")]


async def _attempt_object(
    context: CycleContext, mapper: Mapper, prepared: PreparedEffect, *, is_last: bool
) -> list[Outcome]:
    effect = prepared.effect
    has_references = any(
        each.path in mapper.reference_mappings for each in effect.changes
    )
    try:
        outcome = await _send_or_resolve(context, mapper, prepared, is_last=is_last)
    except Refusal as refusal:
        if effect.is_creation and has_references:
            return await _create_without_references(context, mapper, prepared)
        outcome = build_escrow_outcome(
            context, effect, refusal.status, _refusal_reason(refusal)
        )
    except MappingFault as fault:
        outcome = build_escrow_outcome(context, effect, None, f"mapping-fault: {fault}")
    if outcome is None:
        return []
    return (
        [outcome, *_finish_written_references(outcome)]
        if prepared.includes_references
        else [outcome]
    )


async def attempt_effect(
    context: CycleContext,
    mappers: Mapping[ObjectType, Mapper],
    prepared: PreparedEffect,
    *,
    is_last: bool,
) -> list[Outcome]:
    """Carry out an effect; a refusal puts only this effect in escrow.

    An empty list: it waits for other effects. `is_last`: this cycle has no other write
    left that could resolve a conflict.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    if prepared.effect.action == "members":
        outcomes = await write_members(context, prepared)
    else:
        mapper = mappers[prepared.effect.type]
        outcomes = await _attempt_object(context, mapper, prepared, is_last=is_last)
    milliseconds = round((loop.time() - started) * 1000)
    return [replace(each, milliseconds=milliseconds) for each in outcomes]
