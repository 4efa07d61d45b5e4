"""How jobs stand between cycles, and until when the scheduler leaves them alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cloudforest.base.canonical import digest
from cloudforest.model.provisioning import Breaker, Cycle, JobState, Standing
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.scheduling import breaker, quarantine
from cloudforest.provisioning.scheduling.quarantine import as_registered

Hold = datetime | None
"""Not started before this; None: not until somebody starts it."""


def registered_digest(registration: Registration, job: Job) -> str:
    """Return the digest of what is registered of a job, and of both its ends."""
    return digest(
        (
            registration.programs.get(job.name),
            registration.domains().get(job.domain),
            registration.target(job.target),
        )
    )


def standings(
    registration: Registration,
    states: Mapping[str, JobState],
    breakers: Mapping[str, Breaker],
) -> dict[str, Standing]:
    """Return how each registered job stands, as it is registered now."""
    return {
        job.name: Standing(
            job=as_registered(
                states.get(job.name, JobState()), registered_digest(registration, job)
            ),
            breaker=breakers.get(job.target),
        )
        for job in registration.jobs
    }


def after_cycle(
    standing: Standing, cycle: Cycle, *, registered: str, jitter: float
) -> Standing:
    """Return how a job and its target stand after a cycle."""
    return Standing(
        job=quarantine.after_cycle(standing.job, cycle, registered),
        breaker=breaker.after_cycle(standing.breaker, cycle, jitter),
    )


def holds(standings: Mapping[str, Standing]) -> dict[str, Hold]:
    """Return the jobs that are not simply started at their interval."""
    held: dict[str, Hold] = {}
    for name, each in standings.items():
        state = each.job
        if state.paused is not None or state.disabled is not None:
            held[name] = None
            continue
        waits = [at.next for at in (state.quarantine, each.breaker) if at is not None]
        if waits:
            held[name] = max(waits)
    return held
