"""A target that goes down escrows nobody: its last silences were not about objects."""

from __future__ import annotations

from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, TargetUnavailable
from cloudforest.model.provisioning import PHASE_REFERENCE, Outcome
from cloudforest.provisioning.run import Run


def note(run: Run, outcome: Outcome) -> None:
    """Count what was tried; remember who is in escrow since the last answer."""
    effect, status = outcome.effect, outcome.status
    if outcome.state in {"done", "escrowed"} and effect.phase != PHASE_REFERENCE:
        failed = outcome.state == "escrowed"
        run.attempts.add(attempts=effect.attempts - failed, failed=failed)
    if status is None:
        return
    if HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        run.unanswered.clear()
    elif outcome.state == "escrowed":
        run.unanswered.append(outcome.effect.key)


async def give_back(run: Run, error: CloudforestError) -> None:
    """Take out of escrow those who got no answer just before the target was down."""
    if not isinstance(error, TargetUnavailable):
        return
    held = await run.store.effects(run.rows, run.unanswered)
    back = [
        replace(
            each,
            state="pending",
            attempts=each.attempts - 1,
            next_try=None,
            since=None if each.attempts == 1 else each.since,
        )
        for each in held.values()
        if each.state == "escrowed"
    ]
    await run.store.save_effects(run.rows, run.id, back)
    run.counts.escrow -= len(back)
    run.unanswered.clear()
