"""What there is to tell of a job: a guard that blocks it, its quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cloudforest.front.notices.standing import Telling, Undecided
from cloudforest.front.notices.wording import when
from cloudforest.model.notices import Fact, Notice, Occurrence, Step
from cloudforest.model.provisioning import Cycle, Stage
from cloudforest.model.registration import Job, Tenant


@dataclass(frozen=True)
class JobFacts:
    """What is known of a job: its last cycle, the stages that wait for a decision.

    `quarantine` says in a sentence without values why the job is in quarantine.
    """

    cycle: Cycle | None
    stages: tuple[Stage, ...] = ()
    quarantine: str | None = None


def of_job(
    job: Job, tenant: Tenant, facts: JobFacts, now: datetime
) -> Iterator[Telling | Undecided]:
    told = job.notify or tenant.notify
    if facts.quarantine is not None:
        yield Telling(
            _quarantine(job, tenant, facts.quarantine, now),
            frozenset({Occurrence(kind="quarantine", name=job.name)}),
            told,
        )
    # A cycle that failed, or goes on, says nothing about what the guard holds back.
    if facts.cycle is None or facts.cycle.state in {"failed", "running"}:
        yield Undecided("guard", job.name)
    elif facts.cycle.state == "blocked":
        yield Telling(
            _guard(job, tenant, facts.cycle, facts.stages, now),
            _guards(job, facts.stages),
            told,
        )


def _guards(job: Job, stages: tuple[Stage, ...]) -> frozenset[Occurrence]:
    names = [each.guard for each in stages] or [""]
    return frozenset(
        Occurrence(kind="guard", name=job.name, detail=each) for each in names
    )


def _guard(
    job: Job, tenant: Tenant, cycle: Cycle, stages: tuple[Stage, ...], now: datetime
) -> Notice:
    exceeded = tuple(
        Fact(
            name=each.guard,
            value=f"{each.waiting}; at most {each.limit} without being allowed",
        )
        for each in stages
    )
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"Job {job.name} is blocked by a guard",
        explanation=(
            "Its last cycle would have written more than its guards allow. All effects "
            "of that sort wait, none of them was written, and the rest of the cycle "
            "went on. They wait until somebody allows or discards them, or until they "
            "are not wanted any more."
        ),
        facts=(
            Fact(name="Job", value=job.name),
            Fact(name="Target", value=job.target),
            Fact(name="Cycle", value=when(cycle.started)),
            Fact(name="Staged effects", value=str(cycle.counts.staged)),
            *exceeded,
        ),
        steps=(
            Step(
                command=f"cloudforest job staged {job.name}",
                purpose="What waits, why, and the command that allows it.",
            ),
        ),
    )


def _quarantine(job: Job, tenant: Tenant, reason: str, now: datetime) -> Notice:
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"Job {job.name} is in quarantine",
        explanation=(
            "Too much of what it does goes wrong, so its cycles are far apart until "
            "one of them ends well."
        ),
        facts=(
            Fact(name="Job", value=job.name),
            Fact(name="Target", value=job.target),
            Fact(name="Reason", value=reason),
        ),
        steps=(
            Step(
                command=f"cloudforest logs --job {job.name}",
                purpose="What went wrong, object by object.",
            ),
            Step(
                command=f"cloudforest job run {job.name}",
                purpose="A cycle now, once the cause is gone.",
            ),
        ),
    )
