"""What there is to tell, to whom, and that it is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudforest.control_plane.notice_facts import (
    ActiveNotice,
    AgentContact,
    JobNoticeFacts,
    UnknownCondition,
    collect_active_notices,
    find_agent_notices,
    find_certificate_notices,
    find_job_notices,
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


def test_a_blocked_job_is_told_with_its_numbers_and_the_next_command():
    facts = JobNoticeFacts(
        cycle("blocked", counts=Counts(staged=12)), stages=(stage("disables"),)
    )
    [telling] = found(job(), facts)
    notice = telling.notice
    assert notice.headline == "Job people is blocked by a guard"
    values = {each.name: each.value for each in notice.facts}
    assert values["Staged effects"] == "12"
    assert values["disables"] == "12; at most 10 without being allowed"
    assert [each.command for each in notice.steps] == ["cloudforest job staged people"]


def test_each_guard_is_an_occurrence_of_its_own():
    facts = JobNoticeFacts(
        cycle("blocked"), stages=(stage("deletes"), stage("disables"))
    )
    [telling] = found(job(), facts)
    assert {each.detail for each in telling.occurrences} == {"deletes", "disables"}


@pytest.mark.parametrize("state", ["succeeded", "partial"])
def test_a_job_that_is_well_has_nothing_to_tell(state):
    assert found(job(), JobNoticeFacts(cycle(state))) == []


@pytest.mark.parametrize(
    "last", [None, cycle("failed", error="Away."), cycle("running")]
)
def test_a_cycle_without_an_end_says_nothing_of_the_guard(last):
    assert found(job(), JobNoticeFacts(last)) == [UnknownCondition("guard", "people")]


def test_a_quarantine_is_told_with_its_reason():
    facts = JobNoticeFacts(cycle("partial"), quarantine="Half of its writes fail.")
    [telling] = found(job(), facts)
    assert telling.occurrences == {Occurrence(kind="quarantine", name="people")}
    assert "Half of its writes fail." in [each.value for each in telling.notice.facts]


def test_a_jobs_own_addresses_stand_instead_of_the_tenants():
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


def of(record, listening=LONG_SERVED):
    return list(find_agent_notices(record, REGISTRATION, listening))


def test_an_agent_is_told_after_an_hour_of_silence():
    assert of(agent(NOW - HOUR)) == []
    [telling] = of(agent(NOW - HOUR - MINUTE))
    assert telling.occurrences == {Occurrence(kind="agent-inactive", name="sync01")}
    values = {each.name: each.value for each in telling.notice.facts}
    assert values["Last heard of"] == "2026-11-23 10:59 UTC"
    assert values["Jobs"] == "people, other"


def test_of_an_agent_the_tenant_hears_and_those_whose_jobs_need_it():
    [telling] = of(agent(NOW - DAY))
    assert telling.recipients == (
        *("it@contoso.com", "people@contoso.com", "other@contoso.com"),
    )


def test_an_agent_that_is_yet_to_enrol_is_not_silent():
    assert of(agent(None)) == []


@pytest.mark.parametrize("since", [None, NOW, NOW - HOUR])
def test_silence_while_we_did_not_listen_is_not_the_agents(since):
    """A control plane that was away for a night starts without a mail per agent."""
    assert of(agent(NOW - DAY), AgentContact(since, NOW)) == [
        UnknownCondition("agent-inactive", "sync01")
    ]


def test_a_certificate_is_told_two_weeks_before_its_end():
    ends = NOW + 14 * DAY
    active = agent(NOW, certificate_expires=ends + MINUTE)
    assert of(active) == []
    [telling] = of(agent(NOW, certificate_expires=ends))
    assert "ends on 2026-12-07" in telling.notice.headline
    assert telling.occurrences == {
        Occurrence(kind="certificate", name="sync01", detail=ends.isoformat())
    }


def test_the_control_planes_own_certificate_is_told_to_the_tenant():
    assert (
        list(find_certificate_notices({"service bus": NOW + 15 * DAY}, TENANT, NOW))
        == []
    )
    [telling] = find_certificate_notices({"service bus": NOW + DAY}, TENANT, NOW)
    assert telling.recipients == ("it@contoso.com",)
    assert "service bus" in telling.notice.headline


def blocked(*guards):
    facts = JobNoticeFacts(
        cycle("blocked"), stages=tuple(stage(each) for each in guards)
    )
    return collect_active_notices(found(job(), facts))


def guards(*names):
    return frozenset(
        Occurrence(kind="guard", name="people", detail=each) for each in names
    )


def test_what_was_told_is_told_again_only_when_more_holds():
    assert blocked("disables").select_unsent(guards("disables")) == []
    assert len(blocked("disables").select_unsent(frozenset())) == 1
    assert len(blocked("deletes", "disables").select_unsent(guards("disables"))) == 1


def test_what_holds_no_more_is_forgotten():
    assert blocked("disables").select_ended(guards("deletes", "disables")) == guards(
        "deletes"
    )
    assert collect_active_notices(()).select_ended(guards("deletes")) == guards(
        "deletes"
    )


def test_what_can_not_be_decided_stays_told():
    failed = collect_active_notices(found(job(), JobNoticeFacts(cycle("failed"))))
    other = Occurrence(kind="guard", name="of a job that is gone")
    assert failed.select_ended(guards("disables") | {other}) == {other}


def test_a_telling_is_none_of_what_can_not_be_decided():
    both = collect_active_notices(
        [
            *found(job(), JobNoticeFacts(cycle("blocked"))),
            UnknownCondition("guard", "x"),
        ]
    )
    assert [isinstance(each, ActiveNotice) for each in both.notices] == [True]
    assert both.notices[0].occurrences == {GUARD}
