"""What the API says of agents, jobs and cycles: the documented shapes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from cloudforest.hybrid.status import agent_state
from cloudforest.model.identity import AgentRecord
from cloudforest.model.provisioning import Cycle, Watermark
from cloudforest.model.registration import Job, Registration
from cloudforest.plan.plan import Guard, JobImpact
from cloudforest.provisioning.impact import Impact
from cloudforest.provisioning.run import Run


def agent(record: AgentRecord, now: datetime) -> dict[str, Any]:
    return {
        "name": record.name,
        "state": agent_state(record, now),
        "domains": record.domains,
        "lastBootstrap": record.last_bootstrap,
        "version": record.version,
        "troubles": record.troubles,
        "certificate": record.certificate and certificate_digest(record.certificate),
        "certificateExpires": record.certificate_expires,
    }


def certificate_digest(pem: str) -> str:
    """Return what tells one certificate from another: the SHA-256 of its PEM text."""
    return hashlib.sha256(pem.encode()).hexdigest()


def jobs(registration: Registration | None) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "domain": each.domain,
            "target": each.target,
            "scope": each.scope,
            "interval": each.interval,
            "enabled": each.enabled,
        }
        for each in (registration.jobs if registration else ())
    ]


def job_states(
    registration: Registration | None,
    cycles: Mapping[str, Cycle],
    effects: Mapping[str, Mapping[str, int]],
    *,
    running: Callable[[str], bool],
) -> list[dict[str, Any]]:
    return [
        _job_state(
            job, cycles.get(job.name), effects.get(job.name, {}), running(job.name)
        )
        for job in (registration.jobs if registration else ())
    ]


def _job_state(
    job: Job,
    last: Cycle | None,
    effects: Mapping[str, int],
    running: bool,  # noqa: FBT001 - private, called once
) -> dict[str, Any]:
    return {
        "name": job.name,
        "state": _state(job, last, running=running),
        "lastCycle": last and last.started,
        "nextCycle": _next(job, last),
        "escrow": effects.get("escrowed", 0),
        "staged": effects.get("staged", 0),
        "error": last and last.error,
    }


def imported(
    held: Watermark | None, unknown: int, objects: Sequence[str]
) -> dict[str, Any]:
    """Say whether a job sees deletions, what it lacks for it, and who is unknown."""
    lacks = held.lacks if held else ()
    return {
        "deletions": "seen" if held and not lacks else "unseen",
        "lacks": lacks,
        "unknown": unknown,
        "unknownObjects": objects,
    }


def _state(job: Job, last: Cycle | None, *, running: bool) -> str:
    if running:
        return "running"
    if not job.enabled:
        return "paused"
    if last is None:
        return "not run"
    # A cycle that was cut short by a kill is still called running in the store.
    return "failed" if last.state == "running" else last.state


def _next(job: Job, last: Cycle | None) -> datetime | None:
    if not job.enabled or last is None:
        return None
    return last.started + timedelta(seconds=job.interval)


def cycle(ended: Cycle) -> dict[str, Any]:
    finished = ended.finished or ended.started
    return {
        "job": ended.job,
        "cycle": ended.kind,
        "state": ended.state,
        "counts": msgspec.to_builtins(ended.counts),
        "requests": ended.requests,
        "seconds": (finished - ended.started).total_seconds(),
        "error": ended.error,
        "unreachable": ended.unreachable,
    }


def impact(run: Run, found: Impact) -> JobImpact:
    pace = run.profile.requests_per_second
    return JobImpact(
        job=run.job.name,
        counts=found.counts,
        requests=found.requests + run.target.requests,
        min_seconds=round(found.requests / pace, 1) if pace else 0.0,
        effects=found.digest,
        guards=tuple(
            Guard(
                job=run.job.name,
                guard=trip.guard,
                effects=trip.effects,
                limit=trip.limit,
                allow=f"cloudforest job allow {trip.digest} --until 2h --by NAME",
            )
            for trip in found.trips
        ),
    )
