"""The documented JSON of agents, jobs, cycles and impacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from cloudforest.hybrid.bootstrap import agent_state
from cloudforest.model.cycles import Cycle, Watermark
from cloudforest.model.effects import Effect
from cloudforest.model.identity import AgentRecord, digest_certificate
from cloudforest.model.jobs import JobHealth, JobState, Quarantine
from cloudforest.model.registration import Job, Registration
from cloudforest.model.stages import ExceededBudget
from cloudforest.plan.plan import GuardObjection, JobImpact
from cloudforest.provisioning.impact import Impact
from cloudforest.provisioning.run import CycleContext


def shape_agent(record: AgentRecord, now: datetime) -> dict[str, Any]:
    return {
        "name": record.name,
        "state": agent_state(record, now),
        "domains": record.domains,
        "lastBootstrap": record.last_bootstrap,
        "version": record.version,
        "troubles": record.troubles,
        "certificate": record.certificate and digest_certificate(record.certificate),
        "certificateExpires": record.certificate_expires,
    }


def shape_jobs(registration: Registration | None) -> list[dict[str, Any]]:
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


def _job_state_word(
    job: Job, last: Cycle | None, state: JobState, *, running: bool
) -> str:
    states = {
        "running": running,
        "paused": state.paused is not None or not job.enabled,
        "disabled": state.disabled is not None,
        "quarantined": state.quarantine is not None,
        "not run": last is None,
    }
    for word, applies in states.items():
        if applies:
            return word
    # A cycle that was killed still has the state `running` in the store.
    return "failed" if last is None or last.state == "running" else last.state


def _shape_quarantine(quarantine: Quarantine | None) -> dict[str, Any] | None:
    if quarantine is None:
        return None
    reason = f"{quarantine.reason}: {quarantine.sentence}"
    return {"since": quarantine.since, "reason": reason, "next": quarantine.next}


def shape_job_state(
    job: Job,
    *,
    last: Cycle | None,
    next_start: datetime | None,
    effects: Mapping[str, int],
    health: JobHealth,
    running: bool,
) -> dict[str, Any]:
    return {
        "name": job.name,
        "state": _job_state_word(job, last, health.job_state, running=running),
        "lastCycle": last and last.started,
        "nextCycle": next_start,
        "escrow": effects.get("escrowed", 0),
        "staged": effects.get("staged", 0),
        "error": last and last.error,
        "paused": health.job_state.paused,
        "quarantine": _shape_quarantine(health.job_state.quarantine),
        "disabled": health.job_state.disabled,
        "breaker": health.breaker,
    }


def shape_import_state(
    watermark: Watermark | None, unknown: int, objects: Sequence[str]
) -> dict[str, Any]:
    """Return whether deletions are visible, missing rights, and unknown objects."""
    lacks = watermark.lacks if watermark else ()
    return {
        "deletions": "seen" if watermark and not lacks else "unseen",
        "lacks": lacks,
        "unknown": unknown,
        "unknownObjects": objects,
    }


def shape_escrow(effect: Effect, dn: str | None) -> dict[str, Any]:
    """Return what an object in escrow waits for; `given-up`: it is not retried."""
    return {
        "object": effect.id,
        "name": dn,
        "action": effect.action,
        "reason": effect.reason,
        "attempts": effect.attempts,
        "since": effect.since,
        "next": effect.next_try or "given-up",
    }


def shape_cycle(cycle: Cycle) -> dict[str, Any]:
    finished = cycle.finished or cycle.started
    return {
        "job": cycle.job,
        "cycle": cycle.kind,
        "state": cycle.state,
        "counts": msgspec.to_builtins(cycle.counts),
        "requests": cycle.requests,
        "seconds": (finished - cycle.started).total_seconds(),
        "error": cycle.error,
        "unreachable": cycle.unreachable,
    }


def _make_guard(
    exceeded: ExceededBudget, *, enabled: bool, follows: bool
) -> GuardObjection:
    command = f"cloudforest job allow {exceeded.digest} --until 2h --by NAME"
    return GuardObjection(
        job=exceeded.job,
        guard=exceeded.guard,
        effects=exceeded.effects,
        limit=exceeded.limit,
        total=exceeded.total,
        follows=follows,
        allow=command if enabled else "",
    )


def make_job_impact(run: CycleContext, evaluated: Impact) -> JobImpact:
    """Return the impact of a job; effects of a disabled job cannot be allowed."""
    pace, enabled = run.profile.requests_per_second, run.job.enabled
    exceeded = {False: evaluated.exceeded, True: evaluated.exceeded_later}
    return JobImpact(
        job=run.job.name,
        enabled=enabled,
        cycle=evaluated.cycle,
        counts=evaluated.counts,
        requests=evaluated.requests + run.target.requests,
        min_seconds=round(evaluated.requests / pace, 1) if pace else 0.0,
        effects=evaluated.outbox_digest,
        breakdown=evaluated.breakdown,
        guards=tuple(
            _make_guard(each, enabled=enabled, follows=follows)
            for follows, found in exceeded.items()
            for each in found
        ),
    )
