"""Changes of a group's members: one bad member holds back nobody but itself."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from cloudforest.model.outcomes import NotThere, Refusal
from cloudforest.model.provisioning import Effect, Outcome
from cloudforest.provisioning.escrow import escrow, membership_key
from cloudforest.provisioning.exporting.sending import Ready
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
