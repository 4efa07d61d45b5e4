"""What notices say, who receives them, and that each is sent once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudforest.control_plane.notice_facts import (
    AgentContact,
    JobNoticeFacts,
    UnknownCondition,
    find_agent_notices,
    find_certificate_notices,
    find_job_notices,
    select_ended,
    select_unsent,
)
from cloudforest.model.cycles import Counts, Cycle
from cloudforest.model.identity import AgentRecord
from cloudforest.model.ports.notices import Occurrence
from cloudforest.model.registration import Job, Registration, Tenant
from cloudforest.model.stages import Stage

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TENANT = Tenant(name="contoso", scenario="x", notify=("it@contoso.com",))
LONG_SERVED = AgentContact(NOW - DAY, NOW)
GUARD = Occurrence(kind="guard", name="people")


def job(name="people", **fields):
    return Job(
        name=name,
        domain="contoso.com",
        target="cloud",
        scope="all",
        mappings=(),
        interval=120,
        **fields,
    )


def cycle(state, **fields):
    return Cycle(
        id="1",
        job="people",
        target="cloud",
        kind="incremental",
        state=state,
        started=NOW,
        **fields,
    )


def found(one, facts):
    return list(find_job_notices(one, TENANT, facts, NOW))


def stage(guard, effects=12, limit=10):
    return Stage(
        id=guard,
        job="people",
        guard=guard,
        cycle="1",
        created=NOW,
        limit=limit,
        effects=effects,
        what={},
        waiting=effects,
    )


def test_notice_of_a_blocked_job_has_numbers_and_the_next_command():
    facts = JobNoticeFacts(
        cycle("blocked", counts=Counts(staged=12)), stages=(stage("disables"),)
    )
    [active_notice] = found(job(), facts)
    notice = active_notice.notice
    assert notice.headline == "Job people is blocked by a guard"
    values = {each.name: each.value for each in notice.facts}
    assert values["Staged effects"] == "12"
    assert values["disables"] == "12 staged; the limit is 10"
    assert [each.command for each in notice.steps] == ["cloudforest job staged people"]


def test_each_guard_is_a_separate_occurrence():
    facts = JobNoticeFacts(
        cycle("blocked"), stages=(stage("deletes"), stage("disables"))
    )
    [active_notice] = found(job(), facts)
    assert {each.detail for each in active_notice.occurrences} == {
        "deletes",
        "disables",
    }


@pytest.mark.parametrize("state", ["succeeded", "partial"])
def test_healthy_job_has_no_notices(state):
    assert found(job(), JobNoticeFacts(cycle(state))) == []


@pytest.mark.parametrize(
    "last", [None, cycle("failed", error="Away."), cycle("running")]
)
def test_failed_or_running_cycle_leaves_the_guard_unknown(last):
    assert found(job(), JobNoticeFacts(last)) == [UnknownCondition("guard", "people")]


def test_notice_of_a_quarantine_has_its_reason():
    facts = JobNoticeFacts(cycle("partial"), quarantine="Half of its writes fail.")
    [active_notice] = found(job(), facts)
    assert active_notice.occurrences == {Occurrence(kind="quarantine", name="people")}
    assert "Half of its writes fail." in [
        each.value for each in active_notice.notice.facts
    ]


def test_addresses_of_a_job_replace_those_of_the_tenant():
    blocked = JobNoticeFacts(cycle("blocked"))
    assert found(job(), blocked)[0].recipients == ("it@contoso.com",)
    own = job(notify=("people@contoso.com",))
    assert found(own, blocked)[0].recipients == ("people@contoso.com",)


def agent(last, **fields):
    return AgentRecord(
        id="1", name="sync01", domains=("contoso.com",), last_bootstrap=last, **fields
    )


REGISTRATION = Registration(
    tenant=TENANT,
    jobs=(
        job(notify=("people@contoso.com", "it@contoso.com")),
        job("other", notify=("other@contoso.com",)),
    ),
)


def of(record, contact=LONG_SERVED):
    return list(find_agent_notices(record, REGISTRATION, contact))


def test_agent_is_reported_after_an_hour_of_silence():
    assert of(agent(NOW - HOUR)) == []
    [active_notice] = of(agent(NOW - HOUR - MINUTE))
    assert active_notice.occurrences == {
        Occurrence(kind="agent-inactive", name="sync01")
    }
    values = {each.name: each.value for each in active_notice.notice.facts}
    assert values["Last bootstrap"] == "2026-11-23 10:59 UTC"
    assert values["Jobs"] == "people, other"


def test_notice_of_an_agent_goes_to_the_tenant_and_its_jobs():
    [active_notice] = of(agent(NOW - DAY))
    assert active_notice.recipients == (
        *("it@contoso.com", "people@contoso.com", "other@contoso.com"),
    )


def test_agent_that_never_enrolled_is_not_reported():
    assert of(agent(None)) == []


@pytest.mark.parametrize("since", [None, NOW, NOW - HOUR])
def test_silence_while_the_control_plane_was_down_is_not_reported(since):
    """A control plane that was down for a night must not send a mail per agent."""
    assert of(agent(NOW - DAY), AgentContact(since, NOW)) == [
        UnknownCondition("agent-inactive", "sync01")
    ]


def test_certificate_is_reported_two_weeks_before_its_expiry():
    ends = NOW + 14 * DAY
    active = agent(NOW, certificate_expires=ends + MINUTE)
    assert of(active) == []
    [active_notice] = of(agent(NOW, certificate_expires=ends))
    assert "expires on 2026-12-07" in active_notice.notice.headline
    assert active_notice.occurrences == {
        Occurrence(kind="certificate", name="sync01", detail=ends.isoformat())
    }


def test_own_certificate_is_reported_to_the_tenant():
    assert (
        list(find_certificate_notices({"service bus": NOW + 15 * DAY}, TENANT, NOW))
        == []
    )
    [active_notice] = find_certificate_notices({"service bus": NOW + DAY}, TENANT, NOW)
    assert active_notice.recipients == ("it@contoso.com",)
    assert "service bus" in active_notice.notice.headline


def blocked(*guards):
    facts = JobNoticeFacts(
        cycle("blocked"), stages=tuple(stage(each) for each in guards)
    )
    return found(job(), facts)


def guards(*names):
    return frozenset(
        Occurrence(kind="guard", name="people", detail=each) for each in names
    )


def test_notice_is_sent_again_only_for_new_occurrences():
    assert select_unsent(blocked("disables"), guards("disables")) == []
    assert len(select_unsent(blocked("disables"), frozenset())) == 1
    assert len(select_unsent(blocked("deletes", "disables"), guards("disables"))) == 1


def test_ended_occurrences_are_forgotten():
    both = guards("deletes", "disables")
    assert select_ended(blocked("disables"), both) == guards("deletes")
    assert select_ended((), guards("deletes")) == guards("deletes")


def test_unknown_conditions_stay_sent():
    failed = found(job(), JobNoticeFacts(cycle("failed")))
    other = Occurrence(kind="guard", name="of a job that is gone")
    assert select_ended(failed, guards("disables") | {other}) == {other}


def test_unknown_conditions_are_not_active_notices():
    [active] = found(job(), JobNoticeFacts(cycle("blocked")))
    both = [active, UnknownCondition("guard", "x")]
    assert select_unsent(both, frozenset()) == [active]
    assert active.occurrences == {GUARD}
