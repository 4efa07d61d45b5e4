"""Drift of a job: told batch by batch, and repaired by its next cycle at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from cloudforest.adapters.bus.memory import MemoryBus
from cloudforest.control_plane import shapes
from cloudforest.control_plane.objects import require_bus, require_registration
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.model.identity import Operator, sees_values
from cloudforest.model.registration import Registration
from cloudforest.provisioning.drift import (
    Drift,
    accept_observed,
    redact_drift,
    save_drifted,
    scan_drift,
)
from cloudforest.provisioning.run import ignore_progress

LineSender = Callable[[dict[str, Any]], None]
"""Told `{"drifted": …}` for each drift, in the documented shape."""


async def _scan_target(
    plane: ControlPlane,
    job: str,
    registration: Registration,
    on_drift: Callable[[Drift], None],
    *,
    snapshot: str | None = None,
) -> int:
    """Return how many objects were compared; repair if there is a `picture` for it.

    The target's turn is held: what is written meanwhile would look adrift. Nobody is
    asked: what was imported last is what is desired.
    """
    runs, checked = plane.runner, 0
    with runs.lock_jobs([job] if snapshot else []):
        async with (
            runs.open_context(job, registration, MemoryBus()) as run,
            runs.locks.target_lock(run.job.target),
        ):
            async for seen in scan_drift(run):
                checked += seen.checked
                for each in seen.findings:
                    on_drift(each.drift)
                if snapshot:
                    await save_drifted(run, snapshot, seen.findings)
                    await accept_observed(run, seen.findings)
    return checked


async def report_drift(
    plane: ControlPlane, job: str, operator: Operator, send: LineSender
) -> dict[str, Any]:
    """Return `{"checked", "repaired"}`; a pipeline is told no names and no values."""
    registration = await require_registration(plane.registrations)
    names = sees_values(operator.role)

    def hear(drift: Drift) -> None:
        send({"drifted": drift if names else redact_drift(drift)})

    checked = await _scan_target(plane, job, registration, hear)
    return {"checked": checked, "repaired": 0}


async def repair_drift(
    plane: ControlPlane, job: str, operator: Operator, send: LineSender
) -> dict[str, Any]:
    """Return `{"checked", "repaired", "cycle"}`; `cycle` is None if nothing drifted.

    Raises Busy while a cycle of the job runs.
    """
    registration = await require_registration(plane.registrations)
    bus = require_bus(plane.bus)
    await plane.operators.audit(operator, "drift repair", job)
    picture = f"drift:{uuid.uuid4().hex}"
    drifted = 0

    def hear(drift: Drift) -> None:
        nonlocal drifted
        drifted += 1
        send({"drifted": drift})

    try:
        checked = await _scan_target(plane, job, registration, hear, snapshot=picture)
        if not drifted:
            return {"checked": checked, "repaired": 0, "cycle": None}
        # Nothing is awaited in between, so no other cycle of the job comes first.
        cycle = await plane.runner.run_cycle(job, registration, bus, ignore_progress)
        plane.notices.after_cycle()
        number = await plane.provisioning.count_written(cycle.id, picture)
    finally:
        await plane.provisioning.clear_snapshot(picture)
    return {"checked": checked, "repaired": number, "cycle": shapes.shape_cycle(cycle)}
