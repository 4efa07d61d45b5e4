"""One attempt at one effect, and what its failure means for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.model.outcomes import Conflict, NotThere, Refusal
from cloudforest.model.provisioning import Effect, Outcome, TargetResource
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.escrow import after_values, escrow
from cloudforest.provisioning.evaluating.differences import adopted_changes, guards
from cloudforest.provisioning.evaluating.evaluation import is_creation
from cloudforest.provisioning.exporting.members import change_members
from cloudforest.provisioning.exporting.sending import Ready, send
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    ALREADY_LINKED,
    Ambiguous,
    look_up,
    unclaimed,
)
from cloudforest.provisioning.run import Run

PHASE_RETRY = 3
FOR_THE_GUARD = frozenset({"disables", "rekeys"})
"""Budgets that an adoption found only now would evade."""
UNGUARDED = (
    "conflict: the resource in the way would be disabled or get another key; the next "
    "attempt adopts it, if the guard allows."
)


def escrowed(run: Run, effect: Effect, status: int | None, reason: str) -> Outcome:
    """Hold an effect back; a plain no says that a creation did not happen."""
    refused = (
        status is not None
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
    effect = replace(effect, sent=effect.sent and not refused)
    held = escrow(effect, reason, run.clock())
    return Outcome(effect=held, state="escrowed", status=status, reason=reason)


def _again(effect: Effect) -> Outcome:
    """Try once more when the other writes of this cycle are done."""
    effect = replace(effect, phase=PHASE_RETRY, sent=False)
    return Outcome(effect=effect, state="pending")


async def _adopted(run: Run, mapper: Mapper, ready: Ready) -> Outcome | None:
    """Look up who is in the way of a creation; adopt it if it is the object itself."""
    effect = replace(ready.effect, sent=False)
    values = after_values(effect)
    match = await look_up(run, mapper, values)
    if isinstance(match, TargetResource):
        match = await unclaimed(run, effect.id, match)
    if isinstance(match, Ambiguous):
        return escrowed(run, effect, HTTPStatus.CONFLICT, match.reason)
    if match is None:
        return None
    changes = adopted_changes(mapper, values, match)
    if FOR_THE_GUARD.intersection(guards(mapper, changes)):
        return escrowed(run, effect, HTTPStatus.CONFLICT, UNGUARDED)
    if not run.claim(match.id, effect.id):
        return escrowed(run, effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
    adoption = replace(
        effect, action="adopt", resource=match.id, changes=changes, guards=()
    )
    return await send(run.target, Ready(adoption, ready.link, ready.others))


async def _conflict(
    run: Run, mapper: Mapper, ready: Ready, refusal: Conflict
) -> Outcome:
    """Look again after all other creations: they may be what is in the way."""
    effect = ready.effect
    if effect.phase < PHASE_RETRY:
        return _again(effect)
    if is_creation(effect):
        adopted = await _adopted(run, mapper, ready)
        if adopted is not None:
            return adopted
    return escrowed(run, effect, refusal.status, f"conflict: {refusal.reason}")


async def _sent(run: Run, mapper: Mapper, ready: Ready) -> Outcome | None:
    try:
        outcome = await send(run.target, ready)
    except Conflict as refusal:
        return await _conflict(run, mapper, ready, refusal)
    link = outcome.link if outcome else None
    if (
        link is not None
        and ready.link is None
        and not run.claim(link.resource, link.id)
    ):
        return escrowed(run, ready.effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
    return outcome


async def _attempt(run: Run, mapper: Mapper, ready: Ready) -> Sequence[Outcome]:
    effect = ready.effect
    if effect.action == "members":
        return await change_members(run, ready)
    try:
        outcome = await _sent(run, mapper, ready)
    except NotThere as refusal:
        reason = f"gone-at-target: {refusal.reason}"
        outcome = escrowed(run, effect, refusal.status, reason)
    except Refusal as refusal:
        outcome = escrowed(run, effect, refusal.status, refusal.reason)
    except MappingFault as fault:
        reason = f"mapping-fault: {fault.path}: {fault.reason}"
        outcome = escrowed(run, effect, None, reason)
    return [outcome] if outcome else []


async def attempt(run: Run, mapper: Mapper, ready: Ready) -> list[Outcome]:
    """Carry out an effect; a refusal escrows it alone. Nothing: it waits for others."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    outcomes = await _attempt(run, mapper, ready)
    spent = round((loop.time() - started) * 1000)
    return [replace(each, milliseconds=spent) for each in outcomes]
