"""Finds what notices report, and writes them.

Notices report inactive agents, certificates that expire soon, jobs blocked by a guard
and jobs in quarantine.
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

CERTIFICATE_WARNING_TIME = timedelta(days=14)


@dataclass(frozen=True)
class ActiveNotice:
    """A notice of an ongoing condition; sent if an occurrence was not reported yet."""

    notice: Notice
    occurrences: frozenset[Occurrence]
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class UnknownCondition:
    """A condition that cannot be checked now: sent notices still count as sent."""

    kind: NoticeKind
    name: str


@dataclass(frozen=True)
class ActiveNotices:
    notices: tuple[ActiveNotice, ...]
    unknown: frozenset[tuple[NoticeKind, str]]

    def select_unsent(self, sent: frozenset[Occurrence]) -> list[ActiveNotice]:
        return [each for each in self.notices if each.occurrences - sent]

    def select_ended(self, sent: frozenset[Occurrence]) -> frozenset[Occurrence]:
        """Return what was sent and has ended, so that a return is sent again."""
        active = {one for each in self.notices for one in each.occurrences}
        return frozenset(
            each for each in sent - active if (each.kind, each.name) not in self.unknown
        )


def collect_active_notices(
    conditions: Iterable[ActiveNotice | UnknownCondition],
) -> ActiveNotices:
    found = list(conditions)
    return ActiveNotices(
        tuple(each for each in found if isinstance(each, ActiveNotice)),
        frozenset(
            (each.kind, each.name)
            for each in found
            if isinstance(each, UnknownCondition)
        ),
    )


def format_utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class AgentContact:
    """Since when agents can reach this control plane; None: it does not serve."""

    since: datetime | None
    now: datetime

    def is_long_enough(self) -> bool:
        """Tell whether silence is due to the agent and not to our own absence."""
        return self.since is not None and self.now - self.since > INACTIVE_AFTER


def _find_recipients(agent: AgentRecord, registration: Registration) -> tuple[str, ...]:
    """Return the addresses of the tenant and of the jobs that the agent reads for."""
    addresses = dict.fromkeys(registration.tenant.notify)
    for job in registration.jobs:
        if job.domain in agent.domains:
            addresses |= dict.fromkeys(job.notify)
    return tuple(addresses)


def _certificate_occurrence(name: str, ends: datetime) -> frozenset[Occurrence]:
    return frozenset(
        {Occurrence(kind="certificate", name=name, detail=ends.isoformat())}
    )


def _make_inactive_notice(
    agent: AgentRecord, last: datetime, registration: Registration, now: datetime
) -> Notice:
    jobs = [each.name for each in registration.jobs if each.domain in agent.domains]
    return Notice(
        tenant=registration.tenant.name,
        time=now,
        headline=f"Agent {agent.name} is inactive",
        explanation=(
            "It has not bootstrapped for more than an hour. Until it is back, jobs "
            "fail if no other agent reads their domain. Nobody loses access because "
            "of it."
        ),
        facts=(
            Fact(name="Agent", value=agent.name),
            Fact(name="Last bootstrap", value=format_utc(last)),
            Fact(name="Domains", value=", ".join(agent.domains)),
            Fact(name="Jobs", value=", ".join(jobs) or "none"),
        ),
        steps=(
            Step(
                command="cloudforest agent status",
                purpose="Shows all agents and their last bootstrap.",
            ),
            Step(
                command=f"cloudforest agent run {agent.name} --control URL",
                purpose="Starts it again, on its host; `up` starts local agents.",
            ),
        ),
    )


def _format_last_bootstrap(agent: AgentRecord) -> str:
    return format_utc(agent.last_bootstrap) if agent.last_bootstrap else "never"


def _make_agent_certificate_notice(
    agent: AgentRecord, ends: datetime, tenant: Tenant, now: datetime
) -> Notice:
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"The certificate of agent {agent.name} expires on {ends:%Y-%m-%d}",
        explanation=(
            "An agent renews its certificate when a third of its lifetime is left. "
            "This renewal has failed. After the expiry, the agent cannot bootstrap "
            "and must be enrolled again."
        ),
        facts=(
            Fact(name="Agent", value=agent.name),
            Fact(name="Expires", value=format_utc(ends)),
            Fact(name="Last bootstrap", value=_format_last_bootstrap(agent)),
        ),
        steps=(
            Step(
                command="cloudforest agent status",
                purpose="Shows whether it is active. If so, its log says what fails.",
            ),
            Step(
                command=f"cloudforest agent token {agent.name}",
                purpose="Makes a token to enrol it again, on its host: "
                f"`cloudforest agent run {agent.name} --control URL --token-stdin`.",
            ),
        ),
    )


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


def _make_own_certificate_notice(
    name: str, ends: datetime, tenant: Tenant, now: datetime
) -> Notice:
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"The certificate of the {name} expires on {ends:%Y-%m-%d}",
        explanation=(
            "After the expiry, no agent can be asked. The control plane makes a new "
            "certificate each time it starts."
        ),
        facts=(Fact(name="Expires", value=format_utc(ends)),),
        steps=(
            Step(
                command="cloudforest serve",
                purpose="Stop the control plane and start it again with this command.",
            ),
        ),
    )


def find_certificate_notices(
    certificates: Mapping[str, datetime], tenant: Tenant, now: datetime
) -> Iterator[ActiveNotice]:
    """Yield notices of the control plane's own certificates, by their purpose."""
    for name, ends in certificates.items():
        if ends - now <= CERTIFICATE_WARNING_TIME:
            notice = _make_own_certificate_notice(name, ends, tenant, now)
            yield ActiveNotice(
                notice, _certificate_occurrence(name, ends), tenant.notify
            )


@dataclass(frozen=True)
class JobNoticeFacts:
    """The last cycle of a job, its waiting stages, and why it is in quarantine.

    `quarantine` is a sentence without values of people, or None.
    """

    cycle: Cycle | None
    stages: tuple[Stage, ...] = ()
    quarantine: str | None = None


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
            value=f"{each.waiting} staged; the limit is {each.limit}",
        )
        for each in stages
    )
    return Notice(
        tenant=tenant.name,
        time=now,
        headline=f"Job {job.name} is blocked by a guard",
        explanation=(
            "Its last cycle would have exceeded a limit of its guard. None of these "
            "effects was written; everything else was. They wait until an operator "
            "allows or discards them, or until they are no longer needed."
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
                purpose="Shows what waits, why, and the command that allows it.",
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
            "Too many of its writes or cycles fail, so it runs less often until a "
            "cycle succeeds."
        ),
        facts=(
            Fact(name="Job", value=job.name),
            Fact(name="Target", value=job.target),
            Fact(name="Reason", value=reason),
        ),
        steps=(
            Step(
                command=f"cloudforest logs --job {job.name}",
                purpose="Shows what failed, object by object.",
            ),
            Step(
                command=f"cloudforest job run {job.name}",
                purpose="Runs a cycle now, once the cause is fixed.",
            ),
        ),
    )


def find_job_notices(
    job: Job, tenant: Tenant, facts: JobNoticeFacts, now: datetime
) -> Iterator[ActiveNotice | UnknownCondition]:
    recipients = job.notify or tenant.notify
    if facts.quarantine is not None:
        yield ActiveNotice(
            _make_quarantine_notice(job, tenant, facts.quarantine, now),
            frozenset({Occurrence(kind="quarantine", name=job.name)}),
            recipients,
        )
    # A failed or running cycle does not show what the guards hold back.
    if facts.cycle is None or facts.cycle.state in {"failed", "running"}:
        yield UnknownCondition("guard", job.name)
    elif facts.cycle.state == "blocked":
        yield ActiveNotice(
            _make_guard_notice(job, tenant, facts.cycle, facts.stages, now),
            _guard_occurrences(job, facts.stages),
            recipients,
        )
