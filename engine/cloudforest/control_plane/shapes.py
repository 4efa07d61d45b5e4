"""What the API says of agents, jobs and cycles: the documented shapes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudforest.hybrid.bootstrap import agent_state
from cloudforest.model.cycles import Cycle, Watermark
from cloudforest.model.effects import Effect
from cloudforest.model.identity import AgentRecord
from cloudforest.model.jobs import JobState, Quarantine, Standing
from cloudforest.model.registration import Job, Registration
from cloudforest.model.stages import Tripped
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


@dataclass(frozen=True)
class Facts:
    """What is known of jobs, by name; `starts` is empty where nothing schedules."""

    cycles: Mapping[str, Cycle]
    effects: Mapping[str, Mapping[str, int]]
    standings: Mapping[str, Standing]
    starts: Mapping[str, datetime]
    running: Callable[[str], bool]


def job_states(jobs: Iterable[Job], facts: Facts) -> list[dict[str, Any]]:
    return [_job_state(job, facts) for job in jobs]


def _job_state(job: Job, facts: Facts) -> dict[str, Any]:
    last = facts.cycles.get(job.name)
    effects = facts.effects.get(job.name, {})
    standing = facts.standings[job.name]
    running = facts.running(job.name)
    return {
        "name": job.name,
        "state": _state(job, last, standing.job, running=running),
        "lastCycle": last and last.started,
        "nextCycle": facts.starts.get(job.name),
        "escrow": effects.get("escrowed", 0),
        "staged": effects.get("staged", 0),
        "error": last and last.error,
        "paused": standing.job.paused,
        "quarantine": _quarantine(standing.job.quarantine),
        "disabled": standing.job.disabled,
        "breaker": standing.breaker,
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


def _state(job: Job, last: Cycle | None, state: JobState, *, running: bool) -> str:
    held = {
        "running": running,
        "paused": state.paused is not None or not job.enabled,
        "disabled": state.disabled is not None,
        "quarantined": state.quarantine is not None,
        "not run": last is None,
    }
    for word, holds in held.items():
        if holds:
            return word
    # A cycle that was cut short by a kill is still called running in the store.
    return "failed" if last is None or last.state == "running" else last.state


def _quarantine(held: Quarantine | None) -> dict[str, Any] | None:
    if held is None:
        return None
    reason = f"{held.reason}: {held.sentence}"
    return {"since": held.since, "reason": reason, "next": held.next}


def escrowed(effect: Effect, dn: str | None) -> dict[str, Any]:
    """Say what an object in escrow waits for; `given-up`: for nothing any more."""
    return {
        "object": effect.id,
        "name": dn,
        "action": effect.action,
        "reason": effect.reason,
        "attempts": effect.attempts,
        "since": effect.since,
        "next": effect.next_try or "given-up",
    }


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
    """Say what it is. Nobody can allow what a job without cycles would do."""
    pace, enabled = run.profile.requests_per_second, run.job.enabled
    guards = (
        *(_guard(each) for each in found.trips),
        *(replace(_guard(each), follows=True) for each in found.following),
    )
    return JobImpact(
        job=run.job.name,
        enabled=enabled,
        cycle=found.cycle,
        counts=found.counts,
        requests=found.requests + run.target.requests,
        min_seconds=round(found.requests / pace, 1) if pace else 0.0,
        effects=found.digest,
        breakdown=found.breakdown,
        guards=tuple(each if enabled else replace(each, allow="") for each in guards),
    )


def _guard(trip: Tripped) -> Guard:
    return Guard(
        job=trip.job,
        guard=trip.guard,
        effects=trip.effects,
        limit=trip.limit,
        total=trip.total,
        allow=f"cloudforest job allow {trip.digest} --until 2h --by NAME",
    )
