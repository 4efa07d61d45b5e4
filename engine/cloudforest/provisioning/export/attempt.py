"""One attempt at one effect, and what its failure means for it.

Changes of a group's members: one bad member holds back nobody but itself.
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
    after_values,
    escrow,
    is_creation,
    membership_key,
)
from cloudforest.model.ports.target import Conflict, NotThere, Refusal
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Flat, TargetResource
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.differences import adopted_changes, guards
from cloudforest.provisioning.export.requests import Ready, send
from cloudforest.provisioning.export.value_swaps import CONFLICT, in_the_way
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    ALREADY_LINKED,
    Ambiguous,
    look_up,
    unowned,
)
from cloudforest.provisioning.run import Run


def _cut(effect: Effect, size: int) -> Iterator[Effect]:
    """Cut a change of members into smaller ones of at most `size`."""
    for at in range(0, len(effect.add), size):
        yield replace(effect, add=effect.add[at : at + size], remove=())
    for at in range(0, len(effect.remove), size):
        yield replace(effect, add=(), remove=effect.remove[at : at + size])


def _escrowed(run: Run, effect: Effect, refusal: Refusal) -> list[Outcome]:
    """Hold back each membership for itself."""
    reason = refusal.reason
    if isinstance(refusal, NotThere):
        reason = f"gone-at-target: {reason}"
    outcomes = []
    for single in _cut(effect, 1):
        key = membership_key(effect.id, (*single.add, *single.remove)[0])
        held = escrow(replace(single, key=key), reason, run.clock())
        outcomes.append(
            Outcome(effect=held, state="escrowed", status=refusal.status, reason=reason)
        )
    return outcomes


async def _is_there(run: Run, effect: Effect, resource: str) -> bool:
    try:
        await run.target.member_ids(effect.resource_type, resource)
    except Refusal:
        return False
    return True


async def _change(
    run: Run, ready: Ready, effect: Effect, resource: str
) -> list[Outcome]:
    """Send a change; halve what is refused until single memberships are left."""
    try:
        await run.target.change_members(
            effect.resource_type,
            resource,
            add=[ready.others[each] for each in effect.add],
            remove=[ready.others[each] for each in effect.remove],
        )
    except Refusal as refusal:
        size = len(effect.add) + len(effect.remove)
        hopeless = isinstance(refusal, NotThere) and not await _is_there(
            run, effect, resource
        )
        if size == 1 or hopeless:
            return _escrowed(run, effect, refusal)
        halves = _cut(effect, (size + 1) // 2)
        return [
            outcome
            for half in halves
            for outcome in await _change(run, ready, half, resource)
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


async def change_members(run: Run, ready: Ready) -> list[Outcome]:
    """Write the memberships whose member exists in the target."""
    effect, link = ready.effect, ready.link
    if link is None:
        return []
    if effect.present:
        # Another resource than the one that was read has its own members.
        there = link.resource == effect.resource
        return [Outcome(effect=effect, state="done", added=effect.present)] * there
    possible = replace(
        effect,
        add=tuple(each for each in effect.add if each in ready.others),
        remove=tuple(each for each in effect.remove if each in ready.others),
    )
    if not possible.add and not possible.remove:
        return []
    outcomes = await _change(run, ready, possible, link.resource)
    return [Outcome(effect=replace(effect, add=(), remove=()), state="done"), *outcomes]


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
    phase = PHASE_ADOPT if is_creation(effect) else PHASE_RETRY
    return Outcome(effect=replace(effect, phase=phase, sent=False), state="pending")


def _own_values(mapper: Mapper, effect: Effect) -> Flat:
    """Return what a creation writes, without what it refers to."""
    values = after_values(effect)
    return {path: v for path, v in values.items() if path not in mapper.references}


async def _adopted(run: Run, mapper: Mapper, ready: Ready) -> Outcome | None:
    """Look up who is in the way of a creation; adopt it if it is the object itself."""
    effect = replace(ready.effect, sent=False)
    values = _own_values(mapper, effect)
    match = await look_up(run, mapper, values)
    if isinstance(match, TargetResource):
        match = (await unowned(run, {effect.id: match}))[effect.id]
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
    run: Run, mapper: Mapper, ready: Ready, refusal: Conflict, *, last: bool
) -> Outcome:
    """Look again after all other writes: they may be what is in the way."""
    effect = ready.effect
    if effect.phase < PHASE_RETRY:
        return _again(effect)
    if not last:
        return Outcome(effect=effect, state="pending")
    if is_creation(effect):
        adopted = await _adopted(run, mapper, ready)
        if adopted is not None:
            return adopted
    reason = await in_the_way(run, mapper, effect)
    return escrowed(
        run, effect, refusal.status, reason or f"{CONFLICT}{refusal.reason}"
    )


async def _alone(run: Run, mapper: Mapper, ready: Ready) -> list[Outcome]:
    """Create without references: they must not be the reason that there is nobody.

    They become a write of their own, later in this cycle.
    """
    effect = ready.effect
    own = _own_values(mapper, effect)
    named = {each.path: each.after for each in effect.changes if each.path not in own}
    objects = await run.store.linked_resources(run.job.target, list(named.values()))
    references = tuple(
        ReferenceChange(path=path, to=objects[resource])
        for path, resource in named.items()
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
    changes = tuple(each for each in effect.changes if each.path in own)
    outcomes = await _attempt(run, mapper, ready.alone(changes), last=True)
    return [*outcomes, *[Outcome(effect=later, state="pending")] * bool(references)]


async def _sent(
    run: Run, mapper: Mapper, ready: Ready, *, last: bool
) -> Outcome | None:
    try:
        outcome = await send(run.target, ready)
    except Conflict as refusal:
        return await _conflict(run, mapper, ready, refusal, last=last)
    link = outcome.link if outcome else None
    if (
        link is not None
        and ready.link is None
        and not run.claim(link.resource, link.id)
    ):
        return escrowed(run, ready.effect, HTTPStatus.CONFLICT, ALREADY_LINKED)
    return outcome


def _reason(refusal: Refusal) -> str:
    prefix = "gone-at-target: " if isinstance(refusal, NotThere) else ""
    return f"{prefix}{refusal.reason}"


async def _attempt(
    run: Run, mapper: Mapper, ready: Ready, *, last: bool
) -> list[Outcome]:
    effect = ready.effect
    refers = any(each.path in mapper.references for each in effect.changes)
    try:
        outcome = await _sent(run, mapper, ready, last=last)
    except Refusal as refusal:
        if is_creation(effect) and refers:
            return await _alone(run, mapper, ready)
        outcome = escrowed(run, effect, refusal.status, _reason(refusal))
    except MappingFault as fault:
        reason = f"mapping-fault: {fault.path}: {fault.reason}"
        outcome = escrowed(run, effect, None, reason)
    if outcome is None:
        return []
    return [outcome, *_written_with(outcome)] if ready.whole else [outcome]


def _written_with(outcome: Outcome) -> list[Outcome]:
    """Return the end of the references that were written with the creation."""
    effect = outcome.effect
    if outcome.state != "done" or not is_creation(effect):
        return []
    later = replace(effect, key=f"{effect.id}/r", action="reference", guards=())
    return [Outcome(effect=later, state="done")]


async def attempt(
    run: Run, compiled: Mapping[ObjectType, Mapper], ready: Ready, *, last: bool
) -> list[Outcome]:
    """Carry out an effect; a refusal escrows it alone. Nothing: it waits for others.

    `last`: a conflict that is left now can't be resolved by this cycle.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    if ready.effect.action == "members":
        outcomes = await change_members(run, ready)
    else:
        mapper = compiled[ready.effect.type]
        outcomes = await _attempt(run, mapper, ready, last=last)
    spent = round((loop.time() - started) * 1000)
    return [replace(each, milliseconds=spent) for each in outcomes]
