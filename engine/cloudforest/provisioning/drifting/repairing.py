"""Repairs by counting as written what the target holds: the next cycle does the rest.

So its writes are seen by the guard, logged, held back and repeated like all others.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudforest.model.provisioning import TargetResource
from cloudforest.provisioning.drifting.drift import Drifted
from cloudforest.provisioning.run import Run


async def believe(run: Run, drifted: Sequence[Drifted]) -> None:
    """Store what a batch was found to be; to find it so again changes nothing."""
    store, target = run.store, run.job.target
    links = [each.link for each in drifted if each.link is not None]
    gone = [each.drift.object for each in drifted if each.drift.kind == "missing"]
    await store.save_found(target, links, gone)
    for each in drifted:
        if each.drift.kind == "members":
            await store.keep_written(target, each.drift.object, each.present)


async def remember(run: Run, picture: str, drifted: Sequence[Drifted]) -> None:
    """Keep in the store, under this name, who drifted: it may be the whole target."""
    objects = [TargetResource(id=each.drift.object, values={}) for each in drifted]
    await run.store.save_snapshot(picture, "drifted", objects, ())
