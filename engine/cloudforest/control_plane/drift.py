"""Reports the drift of a job batch by batch, or repairs it in a cycle at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.preview import PreviewBus
from cloudforest.control_plane.shapes import shape_cycle
from cloudforest.model.identity import Operator, sees_values
from cloudforest.model.registration import Registration
from cloudforest.provisioning.drift import (
    Drift,
    accept_observed,
    redact_drift,
    save_drifted,
    scan_drift,
)

LineSender = Callable[[dict[str, Any]], None]
"""Takes each line of a streamed response."""


async def _scan_target(
    plane: ControlPlane,
    job: str,
    registration: Registration,
    on_drift: Callable[[Drift], None],
    *,
    snapshot: str | None = None,
) -> int:
    """Return how many objects were compared; prepare the repair if `snapshot` is set.

    Holds the target lock: what is written in the meantime would look like drift. Asks
    no agent: the last import is what is desired.
    """
    runner, checked = plane.runner, 0
    with runner.lock_jobs([job] if snapshot else []):
        async with (
            runner.open_context(job, registration, bus=PreviewBus()) as run,
            runner.locks.target_lock(run.job.target),
        ):
            async for compared, findings in scan_drift(run):
                checked += compared
                for finding in findings:
                    on_drift(finding.drift)
                if snapshot:
                    await save_drifted(run, snapshot, findings)
                    await accept_observed(run, findings)
    return checked


async def report_drift(
    plane: ControlPlane, job: str, operator: Operator, send: LineSender
) -> dict[str, Any]:
    """Return `{"checked", "repaired"}`; role `plan` gets neither names nor values."""
    registration = await plane.runner.require_registration()
    with_values = sees_values(operator.role)

    def send_drift(drift: Drift) -> None:
        send({"drifted": drift if with_values else redact_drift(drift)})

    checked = await _scan_target(plane, job, registration, send_drift)
    return {"checked": checked, "repaired": 0}


async def repair_drift(
    plane: ControlPlane, job: str, operator: Operator, send: LineSender
) -> dict[str, Any]:
    """Return `{"checked", "repaired", "cycle"}`; `cycle` is None if nothing drifted.

    Raise Busy while a cycle of the job runs.
    """
    registration = await plane.runner.require_registration()
    plane.runner.require_bus()
    await plane.operators.audit(operator, "drift repair", job)
    snapshot = f"drift:{uuid.uuid4().hex}"
    drifted = 0

    def send_drift(drift: Drift) -> None:
        nonlocal drifted
        drifted += 1
        send({"drifted": drift})

    try:
        checked = await _scan_target(
            plane, job, registration, send_drift, snapshot=snapshot
        )
        if not drifted:
            return {"checked": checked, "repaired": 0, "cycle": None}
        # Nothing is awaited in between, so no other cycle of the job can start first.
        cycle = await plane.runner.run_cycle(job, registration)
        repaired = await plane.runner.store.count_written(cycle.id, snapshot)
    finally:
        await plane.runner.store.clear_snapshot(snapshot)
    return {"checked": checked, "repaired": repaired, "cycle": shape_cycle(cycle)}
