"""Explains which members a group would gain and lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from cloudforest.model.provisioning import Effect
from cloudforest.provisioning.escrow import is_held, membership_key
from cloudforest.provisioning.explaining.step import FIRST
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
