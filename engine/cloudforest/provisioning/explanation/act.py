"""Explains what the next cycle would send: requests as the target would get them.

Explains which members a group would gain and lose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from cloudforest.model.effects import (
    Change,
    Effect,
    is_creation,
    is_held,
    membership_key,
)
from cloudforest.program.scim.resource import assemble, patch_operations
from cloudforest.provisioning.explanation.steps import FIRST, Step
from cloudforest.provisioning.log_entries import differing, sensitive_paths, shown
from cloudforest.provisioning.run import Run

BATCH = 1000


async def _held_back(run: Run, group: str, members: Sequence[str]) -> dict[str, str]:
    """Return the memberships that wait by themselves: in `escrow`, or `staged`."""
    held: dict[str, str] = {}
    now = run.clock()
    for at in range(0, len(members), BATCH):
        keys = {membership_key(group, each): each for each in members[at : at + BATCH]}
        for key, each in (await run.store.effects(run.rows, list(keys))).items():
            if is_held(each, now):
                held[keys[key]] = "escrow"
            elif each.state == "staged":
                held[keys[key]] = "staged"
    return held


async def _compared(run: Run, group: str, wanted: Sequence[str]) -> dict[str, Any]:
    """Compare a group's members with those that we wrote."""
    known = await run.store.known(run.rows, run.job.target, wanted)
    written = await run.store.written_members(run.job.target, group)
    coming = [each for each in wanted if each in known and each not in written]
    leaving = sorted(written.difference(wanted))
    held = await _held_back(run, group, [*coming, *leaving])
    coming = [each for each in coming if each not in held]
    leaving = [each for each in leaving if each not in held]
    return _told(coming, leaving, Counter(held.values()))


async def _in_outbox(run: Run, group: str) -> AsyncIterator[Effect]:
    prefix = after = membership_key(group, "")
    while batch := await run.store.outbox_page(run.rows, after=after, limit=BATCH):
        its = [each for each in batch if each.key.startswith(prefix)]
        for each in its:
            yield each
        if len(its) < len(batch):
            return
        after = batch[-1].key


async def _evaluated(run: Run, group: str) -> dict[str, Any]:
    """Say what an evaluation has put into the outbox for a group's members."""
    coming: list[str] = []
    leaving: list[str] = []
    held: Counter[str] = Counter()
    async for each in _in_outbox(run, group):
        if each.state == "pending":
            coming += each.add
            leaving += each.remove
        elif each.state in _HELD:
            held[_HELD[each.state]] += len(each.add) + len(each.remove)
    return _told(coming, leaving, held)


def _told(
    coming: Sequence[str], leaving: Sequence[str], held: Counter[str]
) -> dict[str, Any]:
    return {
        "add": len(coming),
        "remove": len(leaving),
        "firstAdded": list(coming[:FIRST]),
        "firstRemoved": list(leaving[:FIRST]),
        **held,
    }


_HELD = {"escrowed": "escrow", "staged": "staged"}


async def changes_of_members(
    run: Run, group: str, wanted: Sequence[str]
) -> dict[str, Any]:
    """Compare with those that we wrote; a plan has evaluated all of it already."""
    if run.is_scratch:
        return await _evaluated(run, group)
    return await _compared(run, group, wanted)


NOTHING = "The target holds what we would write."
COMING = "(the resource of {}, which is not there yet)"


async def _written(run: Run, effect: Effect) -> list[Change]:
    """Return the changes of an effect, references as resource ids, none sensitive."""
    named = [each.to for each in effect.references if each.to]
    there = await run.store.resource_ids(run.job.target, named) if named else {}
    references = [
        Change(
            path=each.path,
            before=each.before,
            after=there.get(each.to, COMING.format(each.to)) if each.to else None,
        )
        for each in effect.references
    ]
    hidden = sensitive_paths(run.program, effect.type)
    return list(shown([*differing(effect), *references], hidden))


def _request(effect: Effect, changes: Sequence[Change]) -> dict[str, Any] | None:
    kind = effect.resource_type
    if is_creation(effect) and not effect.references:
        values = {each.path: each.after for each in changes if each.after is not None}
        return {"method": "POST", "resourceType": kind, "body": assemble(kind, values)}
    if effect.action == "delete":
        return {"method": "DELETE", "resourceType": kind, "resource": effect.resource}
    operations = patch_operations(changes)
    if not operations:
        return None
    return {
        "method": "PATCH",
        "resourceType": kind,
        "resource": effect.resource,
        "body": {"Operations": operations},
    }


def as_it_stands(effect: Effect, prior: Effect | None) -> Effect:
    """Return the effect that the outbox holds back for the same wish, or this one."""
    if prior is None or prior.state == "pending" or prior.desired != effect.desired:
        return effect
    return effect if prior.state == "escrowed" else prior


def _because(effects: Sequence[Effect]) -> Iterator[str]:
    for effect in effects:
        if effect.reason is not None:
            yield effect.reason


async def acted(
    run: Run, effects: Sequence[Effect], *, group: str | None, members: Sequence[str]
) -> Step:
    """Say what would be sent for these effects, and for the members of a group."""
    detail: dict[str, Any] = {"because": " ".join(_because(effects)) or None}
    changes = [await _written(run, each) for each in effects]
    made = [_request(*each) for each in zip(effects, changes, strict=True)]
    detail["changes"] = [
        {"path": each.path, "before": each.before, "after": each.after}
        for some in changes
        for each in some
    ]
    detail["requests"] = [each for each in made if each is not None]
    if group is not None:
        detail["members"] = await changes_of_members(run, group, members)
    held = next((each for each in effects if each.state != "pending"), None)
    moved = detail.get("members", {"add": 0, "remove": 0})
    if held is not None:
        result = "escrow" if held.state == "escrowed" else held.state
        return Step(result, detail | {"requests": []})
    if effects:
        return Step(effects[0].action, detail)
    if moved["add"] or moved["remove"]:
        return Step("members", detail)
    if waiting := [each for each in ("staged", "escrow") if each in moved]:
        return Step(waiting[0], detail)
    return Step("nothing", detail | {"because": NOTHING})
