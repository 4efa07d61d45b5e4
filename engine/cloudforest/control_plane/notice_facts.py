"""What there is to tell of agents and certificates: silence, and a near end.

What holds now that somebody is to be told, and what of it was not told yet.

The words that notices share.

What there is to tell of a job: a guard that blocks it, its quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloudforest.hybrid.bootstrap import INACTIVE_AFTER, agent_state
from cloudforest.model.cycles import Cycle
from cloudforest.model.identity import AgentRecord
from cloudforest.model.ports.notices import Fact, Notice, NoticeKind, Occurrence, Step
from cloudforest.model.registration import Job, Registration, Tenant
from cloudforest.model.stages import Stage


@dataclass(frozen=True)
class ActiveNotice:
    """A notice of what holds. It is sent when one of its occurrences was not told."""

    notice: Notice
    occurrences: frozenset[Occurrence]
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class UnknownCondition:
    """Whether this holds can't be said at present: what was told stays told."""

    kind: NoticeKind
    name: str


@dataclass(frozen=True)
class ActiveNotices:
    notices: tuple[ActiveNotice, ...]
    unknown: frozenset[tuple[NoticeKind, str]]

    def select_unsent(self, sent: frozenset[Occurrence]) -> list[ActiveNotice]:
        return [each for each in self.notices if each.occurrences - sent]

    def select_ended(self, sent: frozenset[Occurrence]) -> frozenset[Occurrence]:
        """Return what was told and holds no more, so that its return is told again."""
        holding = {one for each in self.notices for one in each.occurrences}
        return frozenset(
            each
            for each in sent - holding
            if (each.kind, each.name) not in self.unknown
        )


def collect_active_notices(
    conditions: Iterable[ActiveNotice | UnknownCondition],
) -> ActiveNotices:
    tellings: list[ActiveNotice] = []
    undecided: set[tuple[NoticeKind, str]] = set()
    for each in conditions:
        match each:
            case ActiveNotice():
                tellings.append(each)
            case UnknownCondition(kind, name):
                undecided.add((kind, name))
    return ActiveNotices(tuple(tellings), frozenset(undecided))


def format_utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


CERTIFICATE_WARNING_TIME = timedelta(days=14)


@dataclass(frozen=True)
class AgentContact:
    """Since when agents can reach this control plane; None: it serves nobody."""

    since: datetime | None
    now: datetime

    def is_long_enough(self) -> bool:
        """Tell whether silence is the agent's, and not our own."""
        return self.since is not None and self.now - self.since > INACTIVE_AFTER


def find_agent_notices(
    agent: AgentRecord, registration: Registration, contact: AgentContact
) -> Iterator[ActiveNotice | UnknownCondition]:
    now = contact.now
    recipients = _find_recipients(agent, registration)
    if agent.last_bootstrap is not None and agent_state(agent, now) == "inactive":
        occurrence = Occurrence(kind="agent-inactive", name=agent.name)
        yield (
            ActiveNotice(
                _make_inactive_notice(agent, agent.last_bootstrap, registration, now),
                frozenset({occurrence}),
                recipients,
            )
            if contact.is_long_enough()
            else UnknownCondition("agent-inactive", agent.name)
        )
    ends = agent.certificate_expires
    if ends is not None and ends - now <= CERTIFICATE_WARNING_TIME:
        yield ActiveNotice(
            _make_agent_certificate_notice(agent, ends, registration.tenant, now),
            _certificate_occurrence(agent.name, ends),
            recipients,
        )


def find_certificate_notices(
    certificates: Mapping[str, datetime], tenant: Tenant, now: datetime
) -> Iterator[ActiveNotice]:
    """Tell of the control plane's own certificates, by what they are for."""
    for name, ends in certificates.items():
        if ends - now <= CERTIFICATE_WARNING_TIME:
            notice = _make_own_certificate_notice(name, ends, tenant, now)
            yield ActiveNotice(
                notice, _certificate_occurrence(name, ends), tenant.notify
            )


def _certificate_occurrence(name: str, ends: datetime) -> frozenset[Occurrence]:
    return frozenset(
        {Occurrence(kind="certificate", name=name, detail=ends.isoformat())}
    )


def _find_recipients(agent: AgentRecord, registration: Registration) -> tuple[str, ...]:
    """Return the tenant's addresses, and those of the jobs that it reads for."""
    found = dict.fromkeys(registration.tenant.notify)
    for job in registration.jobs:
        if job.domain in agent.domains:
            found |= dict.fromkeys(job.notify)
    return tuple(found)


def _make_inactive_notice(
    agent: AgentRecord, last: datetime, registration: Registration, now: datetime
) -> Notice:
    jobs = [each.name for each in registration.jobs if each.domain in agent.domains]
    return Notice(
        tenant=registration.tenant.name,
        time=now,
        headline=f"Agent {agent.name} is inactive",
        explanation=(
            "It has not bootstrapped for more than an hour, so it can't be asked. Jobs "
            "whose domain no other agent reads fail until it is back; nobody is "
            "deprovisioned by that."
        ),
        facts=(
            Fact(name="Agent", value=agent.name),
            Fact(name="Last heard of", value=format_utc(last)),
            Fact(name="Domains", value=", ".join(agent.domains)),
            Fact(name="Jobs", value=", ".join(jobs) or "none"),
        ),
        steps=(
            Step(
                command="cloudforest agent status",
                purpose="All agents, and when each was last heard of.",
            ),
            Step(
                command=f"cloudforest agent run {agent.name} --control URL",
                purpose="On its host, where it has ended; `up` starts local ones.",
            ),
        ),
    )


def _make_agent_certificate_notice(
    agent: AgentRecord, ends: datetime, tenant: Tenant, now: datetime
) -> Notice:
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"The certificate of agent {agent.name} ends on {ends:%Y-%m-%d}",
        explanation=(
            "An agent renews its certificate by itself when a third of its life is "
            "left, so something keeps it from doing that. Once the certificate has "
            "ended, the agent can't bootstrap and has to be enrolled again."
        ),
        facts=(
            Fact(name="Agent", value=agent.name),
            Fact(name="Ends", value=format_utc(ends)),
            Fact(name="Last heard of", value=_format_last_bootstrap(agent)),
        ),
        steps=(
            Step(
                command="cloudforest agent status",
                purpose="Whether it is active; if so, its log says what fails.",
            ),
            Step(
                command=f"cloudforest agent token {agent.name}",
                purpose="A token to enrol it again with, on its host: "
                f"`cloudforest agent run {agent.name} --control URL --token-stdin`.",
            ),
        ),
    )


def _format_last_bootstrap(agent: AgentRecord) -> str:
    return format_utc(agent.last_bootstrap) if agent.last_bootstrap else "never"


def _make_own_certificate_notice(
    name: str, ends: datetime, tenant: Tenant, now: datetime
) -> Notice:
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"The certificate of the {name} ends on {ends:%Y-%m-%d}",
        explanation=(
            "Once it has ended, no agent can be asked. The control plane makes a new "
            "one whenever it starts."
        ),
        facts=(Fact(name="Ends", value=format_utc(ends)),),
        steps=(
            Step(
                command="cloudforest serve",
                purpose="Stop the control plane, and start it again.",
            ),
        ),
    )


@dataclass(frozen=True)
class JobNoticeFacts:
    """What is known of a job: its last cycle, the stages that wait for a decision.

    `quarantine` says in a sentence without values why the job is in quarantine.
    """

    cycle: Cycle | None
    stages: tuple[Stage, ...] = ()
    quarantine: str | None = None


def find_job_notices(
    job: Job, tenant: Tenant, facts: JobNoticeFacts, now: datetime
) -> Iterator[ActiveNotice | UnknownCondition]:
    told = job.notify or tenant.notify
    if facts.quarantine is not None:
        yield ActiveNotice(
            _make_quarantine_notice(job, tenant, facts.quarantine, now),
            frozenset({Occurrence(kind="quarantine", name=job.name)}),
            told,
        )
    # A cycle that failed, or goes on, says nothing about what the guard holds back.
    if facts.cycle is None or facts.cycle.state in {"failed", "running"}:
        yield UnknownCondition("guard", job.name)
    elif facts.cycle.state == "blocked":
        yield ActiveNotice(
            _make_guard_notice(job, tenant, facts.cycle, facts.stages, now),
            _guard_occurrences(job, facts.stages),
            told,
        )


def _guard_occurrences(job: Job, stages: tuple[Stage, ...]) -> frozenset[Occurrence]:
    names = [each.guard for each in stages] or [""]
    return frozenset(
        Occurrence(kind="guard", name=job.name, detail=each) for each in names
    )


def _make_guard_notice(
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
            Fact(name="Cycle", value=format_utc(cycle.started)),
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


def _make_quarantine_notice(
    job: Job, tenant: Tenant, reason: str, now: datetime
) -> Notice:
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
