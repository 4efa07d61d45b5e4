"""Drift of a job: told batch by batch, and repaired by its next cycle at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from cloudforest.adapters.bus.memory import MemoryBus
from cloudforest.control_plane import shapes
from cloudforest.control_plane.objects import registered, required
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.model.identity import Operator, sees_values
from cloudforest.model.registration import Registration
from cloudforest.provisioning.drift import Drift, believe, look_over, remember, withheld
from cloudforest.provisioning.run import silent

Say = Callable[[dict[str, Any]], None]
"""Told `{"drifted": …}` for each drift, in the documented shape."""


async def _looked(
    plane: ControlPlane,
    job: str,
    registration: Registration,
    hear: Callable[[Drift], None],
    *,
    picture: str | None = None,
) -> int:
    """Return how many objects were compared; repair if there is a `picture` for it.

    The target's turn is held: what is written meanwhile would look adrift. Nobody is
    asked: what was imported last is what is desired.
    """
    runs, checked = plane.runs, 0
    with runs.held([job] if picture else []):
        async with (
            runs.prepared(job, registration, MemoryBus()) as run,
            runs.turns.at(run.job.target),
        ):
            async for seen in look_over(run):
                checked += seen.checked
                for each in seen.drifted:
                    hear(each.drift)
                if picture:
                    await remember(run, picture, seen.drifted)
                    await believe(run, seen.drifted)
    return checked


async def look(
    plane: ControlPlane, job: str, operator: Operator, say: Say
) -> dict[str, Any]:
    """Return `{"checked", "repaired"}`; a pipeline is told no names and no values."""
    registration = await registered(plane.registrations)
    names = sees_values(operator.role)

    def hear(drift: Drift) -> None:
        say({"drifted": drift if names else withheld(drift)})

    checked = await _looked(plane, job, registration, hear)
    return {"checked": checked, "repaired": 0}


async def repair(
    plane: ControlPlane, job: str, operator: Operator, say: Say
) -> dict[str, Any]:
    """Return `{"checked", "repaired", "cycle"}`; `cycle` is None if nothing drifted.

    Raises Busy while a cycle of the job runs.
    """
    registration = await registered(plane.registrations)
    bus = required(plane.bus)
    await plane.operators.audit(operator, "drift repair", job)
    picture = f"drift:{uuid.uuid4().hex}"
    drifted = 0

    def hear(drift: Drift) -> None:
        nonlocal drifted
        drifted += 1
        say({"drifted": drift})

    try:
        checked = await _looked(plane, job, registration, hear, picture=picture)
        if not drifted:
            return {"checked": checked, "repaired": 0, "cycle": None}
        # Nothing is awaited in between, so no other cycle of the job comes first.
        cycle = await plane.runs.cycle(job, registration, bus, silent)
        plane.notices.after_cycle()
        number = await plane.provisioning.written(cycle.id, picture)
    finally:
        await plane.provisioning.clear_snapshot(picture)
    return {"checked": checked, "repaired": number, "cycle": shapes.cycle(cycle)}
