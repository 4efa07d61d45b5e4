"""How a plan shows renames."""

from __future__ import annotations

from msgspec.structs import replace
from tests.support.plans import JOB, plan_between, registration

from cloudforest.plan.difference import FieldChange
from cloudforest.plan.wording import summarize_plan


def test_rename_lists_the_other_changed_fields():
    job = replace(JOB, name="staff", formerly="people", interval=300)
    [change] = plan_between(registration(), registration(jobs=(job,))).changes
    assert (change.action, change.name) == ("rename", "staff")
    assert change.fields == (
        FieldChange(path="name", before="people", after="staff"),
        FieldChange(path="interval", before=120, after=300),
    )
    assert str(change) == "> Job people → staff"


def test_renamed_target_updates_the_jobs_that_refer_to_it():
    [cloud] = registration().targets
    after = registration(
        targets=(replace(cloud, name="new", formerly="cloud"),),
        jobs=(replace(JOB, target="new"),),
    )
    plan = plan_between(registration(), after)
    assert [(each.action, each.kind) for each in plan.changes] == [
        ("rename", "Target"),
        ("update", "Job"),
    ]
    assert summarize_plan(plan) == "1 to rename, 1 to update"
    assert plan.warnings == ()


def test_former_name_that_stays_or_goes_changes_nothing():
    stays = registration(jobs=(replace(JOB, formerly="before"),))
    assert plan_between(stays, stays).changes == ()
    assert plan_between(stays, registration()).changes == ()
    assert plan_between(registration(), stays).changes == ()
