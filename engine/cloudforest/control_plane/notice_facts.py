"""Finds what notices report, and writes them.

Notices report inactive agents, certificates that expire soon, jobs blocked by a guard
and jobs in quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

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


Condition = ActiveNotice | UnknownCondition


def select_unsent(
    found: Iterable[Condition], sent: frozenset[Occurrence]
) -> list[ActiveNotice]:
    active = [each for each in found if isinstance(each, ActiveNotice)]
    return [each for each in active if each.occurrences - sent]


def select_ended(
    found: Iterable[Condition], sent: frozenset[Occurrence]
) -> frozenset[Occurrence]:
    """Return what was sent and has ended, so that a return is sent again."""
    unknown, ended = set[tuple[str, str]](), set(sent)
    for each in found:
        if isinstance(each, ActiveNotice):
            ended -= each.occurrences
        else:
            unknown.add((each.kind, each.name))
    return frozenset(each for each in ended if (each.kind, each.name) not in unknown)


def format_utc(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time else "never"


def _report(  # noqa: PLR0913 - the parts of a mail
    tenant: Tenant,
    now: datetime,
    recipients: tuple[str, ...],
    *occurrences: Occurrence,
    headline: str,
    explanation: str,
    facts: Mapping[str, str],
    steps: Mapping[str, str],
) -> ActiveNotice:
    """Return a notice of these occurrences; `steps` maps commands to their purpose."""
    notice = Notice(
        tenant=tenant.name,
        time=now,
        headline=headline,
        explanation=explanation,
        facts=tuple(Fact(name=name, value=value) for name, value in facts.items()),
        steps=tuple(Step(command=each, purpose=why) for each, why in steps.items()),
    )
    return ActiveNotice(notice, frozenset(occurrences), recipients)


@dataclass(frozen=True)
class AgentContact:
    """Since when agents can reach this control plane; None: it does not serve."""

    since: datetime | None
    now: datetime

    def is_long_enough(self) -> bool:
        """Tell whether silence is due to the agent and not to our own absence."""
        return self.since is not None and self.now - self.since > INACTIVE_AFTER


def find_agent_notices(
    agent: AgentRecord, registration: Registration, contact: AgentContact
) -> Iterator[Condition]:
    """Yield notices for the tenant and the jobs that the agent reads for."""
    now, tenant = contact.now, registration.tenant
    jobs = [each for each in registration.jobs if each.domain in agent.domains]
    addresses = [*tenant.notify, *(to for each in jobs for to in each.notify)]
    report = partial(_report, tenant, now, tuple(dict.fromkeys(addresses)))
    if agent_state(agent, now) == "inactive":
        yield (
            report(
                Occurrence(kind="agent-inactive", name=agent.name),
                headline=f"Agent {agent.name} is inactive",
                explanation="It has not bootstrapped for more than an hour. Until it "
                "is back, jobs fail if no other agent reads their domain. Nobody "
                "loses access because of it.",
                facts={
                    "Agent": agent.name,
                    "Last bootstrap": format_utc(agent.last_bootstrap),
                    "Domains": ", ".join(agent.domains),
                    "Jobs": ", ".join(each.name for each in jobs) or "none",
                },
                steps={
                    "cloudforest agent status": "Shows all agents and their last "
                    "bootstrap.",
                    f"cloudforest agent run {agent.name} --control URL": "Starts it "
                    "again, on its host; `up` starts local agents.",
                },
            )
            if contact.is_long_enough()
            else UnknownCondition("agent-inactive", agent.name)
        )
    ends = agent.certificate_expires
    if ends is not None and ends - now <= CERTIFICATE_WARNING_TIME:
        yield report(
            _certificate_occurrence(agent.name, ends),
            headline=_certificate_headline(f"agent {agent.name}", ends),
            explanation="An agent renews its certificate when a third of its lifetime "
            "is left. This renewal has failed. After the expiry, the agent cannot "
            "bootstrap and must be enrolled again.",
            facts={
                "Agent": agent.name,
                "Expires": format_utc(ends),
                "Last bootstrap": format_utc(agent.last_bootstrap),
            },
            steps={
                "cloudforest agent status": "Shows whether it is active. If so, its "
                "log says what fails.",
                f"cloudforest agent token {agent.name}": "Makes a token to enrol it "
                "again, on its host: "
                f"`cloudforest agent run {agent.name} --control URL --token-stdin`.",
            },
        )


def find_certificate_notices(
    certificates: Mapping[str, datetime], tenant: Tenant, now: datetime
) -> Iterator[ActiveNotice]:
    """Yield notices of the control plane's own certificates, by their purpose."""
    report = partial(_report, tenant, now, tenant.notify)
    for name, ends in certificates.items():
        if ends - now <= CERTIFICATE_WARNING_TIME:
            yield report(
                _certificate_occurrence(name, ends),
                headline=_certificate_headline(f"the {name}", ends),
                explanation="After the expiry, no agent can be asked. The control "
                "plane makes a new certificate each time it starts.",
                facts={"Expires": format_utc(ends)},
                steps={
                    "cloudforest serve": "Stop the control plane and start it again "
                    "with this command."
                },
            )


def _certificate_headline(owner: str, ends: datetime) -> str:
    return f"The certificate of {owner} expires on {ends:%Y-%m-%d}"


def _certificate_occurrence(name: str, ends: datetime) -> Occurrence:
    return Occurrence(kind="certificate", name=name, detail=ends.isoformat())


@dataclass(frozen=True)
class JobNoticeFacts:
    """The last cycle of a job, its waiting stages, and why it is in quarantine.

    `quarantine` is a sentence without values of people, or None.
    """

    cycle: Cycle | None
    stages: tuple[Stage, ...] = ()
    quarantine: str | None = None


def find_job_notices(
    job: Job, tenant: Tenant, facts: JobNoticeFacts, now: datetime
) -> Iterator[Condition]:
    report = partial(_report, tenant, now, job.notify or tenant.notify)
    if facts.quarantine is not None:
        yield report(
            Occurrence(kind="quarantine", name=job.name),
            headline=f"Job {job.name} is in quarantine",
            explanation="Too many of its writes or cycles fail, so it runs less often "
            "until a cycle succeeds.",
            facts={"Job": job.name, "Target": job.target, "Reason": facts.quarantine},
            steps={
                f"cloudforest logs --job {job.name}": "Shows what failed, object by "
                "object.",
                f"cloudforest job run {job.name}": "Runs a cycle now, once the cause "
                "is fixed.",
            },
        )
    # A failed or running cycle does not show what the guards hold back.
    if facts.cycle is None or facts.cycle.state in {"failed", "running"}:
        yield UnknownCondition("guard", job.name)
    elif facts.cycle.state == "blocked":
        guards: dict[str, str] = {}
        for each in facts.stages:
            text = f"{each.waiting} staged; the limit is {each.limit}"
            earlier = guards.get(each.guard)
            guards[each.guard] = f"{earlier}. {text}" if earlier else text
        yield report(
            *(
                Occurrence(kind="guard", name=job.name, detail=each)
                for each in guards or [""]
            ),
            headline=f"Job {job.name} is blocked by a guard",
            explanation="Its last cycle would have exceeded a limit of its guard. None "
            "of these effects was written; everything else was. They wait until an "
            "operator allows or discards them, or until they are no longer needed.",
            facts={
                "Job": job.name,
                "Target": job.target,
                "Cycle": format_utc(facts.cycle.started),
                "Staged effects": str(facts.cycle.counts.staged),
                **guards,
            },
            steps={
                f"cloudforest job staged {job.name}": "Shows what waits, why, and the "
                "command that allows it."
            },
        )
