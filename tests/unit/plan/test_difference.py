from __future__ import annotations

import msgspec
from tests.support.plans import JOB, plan_between, registration

from cloudforest.model.registration import (
    Agent,
    Domain,
    Forest,
    Source,
)
from cloudforest.plan.difference import KIND_ORDER
from cloudforest.plan.wording import summarize_plan


def test_equal_registrations_have_no_changes():
    plan = plan_between(registration(), registration())
    assert plan.changes == ()
    assert summarize_plan(plan) == "no changes"


def test_documents_are_created_in_the_order_of_their_references():
    kinds = [each.kind for each in plan_between(None, registration()).changes]
    assert kinds == sorted(kinds, key=KIND_ORDER.index)
    assert {each.action for each in plan_between(None, registration()).changes} == {
        "create"
    }


def test_deletions_come_last_with_dependents_first():
    agents = (Agent(name="sync02", domains=("contoso.com",), run="local"),)
    after = registration(jobs=(), targets=(), agents=agents)
    changes = plan_between(registration(), after).changes
    assert [(each.action, each.kind) for each in changes] == [
        ("create", "Agent"),
        ("delete", "Job"),
        ("delete", "Agent"),
        ("delete", "Target"),
    ]


def test_update_names_the_fields_as_the_yaml_does():
    job = msgspec.structs.replace(JOB, interval=300)
    source = Domain(name="contoso.com", source=Source(ldif="b.ldif"))
    forest = Forest(name="contoso", domains=(source,))
    after = registration(jobs=(job,), forests=(forest,))
    forest_change, job_change = plan_between(registration(), after).changes
    assert [(each.path, each.before, each.after) for each in job_change.fields] == [
        ("interval", 120, 300)
    ]
    [field] = forest_change.fields
    assert field.path == "domains[contoso.com].source.ldif"
    assert (field.before, field.after) == ("a.ldif", "b.ldif")
