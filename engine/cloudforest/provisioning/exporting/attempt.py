"""One attempt at one effect, and what its failure means for it."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from cloudforest.model.outcomes import Conflict, NotThere, Refusal
from cloudforest.model.provisioning import Effect, Outcome, TargetResource
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.escrow import after_values, escrow
from cloudforest.provisioning.evaluating.differences import adopted_changes
from cloudforest.provisioning.exporting.sending import Ready, send
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Ambiguous, look_up, unclaimed
from cloudforest.provisioning.run import Run

PHASE_RETRY = 3


def _escrowed(run: Run, effect: Effect, status: int | None, reason: str) -> Outcome:
    held = escrow(effect, reason, run.clock())
    return Outcome(effect=held, state="escrowed", status=status, reason=reason)


def _again(effect: Effect) -> Outcome:
    """Try once more when the other writes of this cycle are done."""
    return Outcome(effect=replace(effect, phase=PHASE_RETRY), state="pending")


async def _adopted(run: Run, mapper: Mapper, ready: Ready) -> Outcome | None:
    """Look up who is in the way of a creation; adopt it if it is the object itself."""
    effect = ready.effect
    values = after_values(effect)
    match = await look_up(run, mapper, values)
    if isinstance(match, TargetResource):
        match = await unclaimed(run, effect.id, match)
    if isinstance(match, Ambiguous):
        return _escrowed(run, effect, 409, match.reason)
    if match is None:
        return None
    adoption = replace(
        effect,
        action="adopt",
        resource=match.id,
        changes=adopted_changes(mapper, values, match),
        guards=(),
    )
    return await send(run.target, Ready(adoption, ready.link, ready.others))


async def _conflict(
    run: Run, mapper: Mapper, ready: Ready, refusal: Conflict
) -> Outcome:
    effect = ready.effect
    if effect.action == "create" and effect.resource is None:
        adopted = await _adopted(run, mapper, ready)
        if adopted is not None:
            return adopted
    if effect.phase < PHASE_RETRY:
        return _again(effect)
    return _escrowed(run, effect, refusal.status, f"conflict: {refusal.reason}")


async def _attempt(run: Run, mapper: Mapper, ready: Ready) -> Outcome | None:
    try:
        return await send(run.target, ready)
    except Conflict as refusal:
        return await _conflict(run, mapper, ready, refusal)


async def attempt(run: Run, mapper: Mapper, ready: Ready) -> Outcome | None:
    """Carry out an effect; a refusal escrows it alone. None: it waits for others."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        outcome = await _attempt(run, mapper, ready)
    except NotThere as refusal:
        reason = f"gone-at-target: {refusal.reason}"
        outcome = _escrowed(run, ready.effect, refusal.status, reason)
    except Refusal as refusal:
        outcome = _escrowed(run, ready.effect, refusal.status, refusal.reason)
    except MappingFault as fault:
        reason = f"mapping-fault: {fault.path}: {fault.reason}"
        outcome = _escrowed(run, ready.effect, None, reason)
    if outcome is None:
        return None
    return replace(outcome, milliseconds=round((loop.time() - started) * 1000))
