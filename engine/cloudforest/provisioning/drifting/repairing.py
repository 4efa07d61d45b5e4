"""Repairs by counting as written what the target holds: the next cycle does the rest.

So its writes are seen by the guard, logged, held back and repeated like all others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cloudforest.model.ports import ProvisioningStore
from cloudforest.model.provisioning import LogQuery
from cloudforest.provisioning.drifting.drift import Drifted
from cloudforest.provisioning.run import Run

PAGE = 1000


async def believe(run: Run, drifted: Sequence[Drifted]) -> None:
    """Store what a batch was found to be; to find it so again changes nothing."""
    store, target = run.store, run.job.target
    links = [each.link for each in drifted if each.link is not None]
    gone = [each.drift.object for each in drifted if each.drift.kind == "missing"]
    await store.save_found(target, links, gone)
    for each in drifted:
        if each.drift.kind == "members":
            await store.keep_written(target, each.drift.object, each.present)


async def repaired(
    store: ProvisioningStore, cycle: str, objects: Collection[str]
) -> int:
    """Return how many of the objects the cycle wrote, and nothing of them failed."""
    written: set[str] = set()
    held: set[str] = set()
    first = 0
    query = LogQuery(cycle=cycle)
    while page := await store.logs(query, first=first, last=2**62, limit=PAGE):
        for number, entry in page:
            first = number + 1
            if entry.object in objects:
                done = entry.status == "success"
                (written if done else held).add(entry.object)
    return len(written - held)
