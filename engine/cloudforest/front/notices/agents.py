"""What there is to tell of agents and certificates: silence, and a near end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudforest.front.notices.standing import Telling, Undecided
from cloudforest.front.notices.wording import when
from cloudforest.hybrid.status import INACTIVE_AFTER, agent_state
from cloudforest.model.identity import AgentRecord
from cloudforest.model.notices import Fact, Notice, Occurrence, Step
from cloudforest.model.registration import Registration, Tenant

CERTIFICATE_NEAR_END = timedelta(days=14)


@dataclass(frozen=True)
class Listening:
    """Since when agents can reach this control plane; None: it serves nobody."""

    since: datetime | None
    now: datetime

    def may_judge(self) -> bool:
        """Tell whether silence is the agent's, and not our own."""
        return self.since is not None and self.now - self.since > INACTIVE_AFTER


def of_agent(
    agent: AgentRecord, registration: Registration, listening: Listening
) -> Iterator[Telling | Undecided]:
    now = listening.now
    recipients = _recipients(agent, registration)
    if agent.last_bootstrap is not None and agent_state(agent, now) == "inactive":
        occurrence = Occurrence(kind="agent-inactive", name=agent.name)
        yield (
            Telling(
                _inactive(agent, agent.last_bootstrap, registration, now),
                frozenset({occurrence}),
                recipients,
            )
            if listening.may_judge()
            else Undecided("agent-inactive", agent.name)
        )
    ends = agent.certificate_expires
    if ends is not None and ends - now <= CERTIFICATE_NEAR_END:
        yield Telling(
            _agent_certificate(agent, ends, registration.tenant, now),
            _ends(agent.name, ends),
            recipients,
        )


def of_certificates(
    certificates: Mapping[str, datetime], tenant: Tenant, now: datetime
) -> Iterator[Telling]:
    """Tell of the control plane's own certificates, by what they are for."""
    for name, ends in certificates.items():
        if ends - now <= CERTIFICATE_NEAR_END:
            notice = _own_certificate(name, ends, tenant, now)
            yield Telling(notice, _ends(name, ends), tenant.notify)


def _ends(name: str, ends: datetime) -> frozenset[Occurrence]:
    return frozenset(
        {Occurrence(kind="certificate", name=name, detail=ends.isoformat())}
    )


def _recipients(agent: AgentRecord, registration: Registration) -> tuple[str, ...]:
    """Return the tenant's addresses, and those of the jobs that it reads for."""
    found = dict.fromkeys(registration.tenant.notify)
    for job in registration.jobs:
        if job.domain in agent.domains:
            found |= dict.fromkeys(job.notify)
    return tuple(found)


def _inactive(
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
            Fact(name="Last heard of", value=when(last)),
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


def _agent_certificate(
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
            Fact(name="Ends", value=when(ends)),
            Fact(name="Last heard of", value=_last(agent)),
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


def _last(agent: AgentRecord) -> str:
    return when(agent.last_bootstrap) if agent.last_bootstrap else "never"


def _own_certificate(
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
        facts=(Fact(name="Ends", value=when(ends)),),
        steps=(
            Step(
                command="cloudforest serve",
                purpose="Stop the control plane, and start it again.",
            ),
        ),
    )
