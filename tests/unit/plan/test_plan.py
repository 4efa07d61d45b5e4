from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.support.plans import IMPACT, JOB, plan_between, registration

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import digest
from cloudforest.cli.plan import on_state
from cloudforest.model.registration import (
    Agent,
    Domain,
    Forest,
    Source,
    Tenant,
)
from cloudforest.plan.difference import KINDS
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import LIMIT, render_markdown
from cloudforest.plan.plan import Guard, JobImpact
from cloudforest.plan.saved import load_plan, save_plan, saved_plan
from cloudforest.plan.wording import blocked_in_words, counts_in_words, total


def test_equal_registrations_have_no_difference():
    plan = plan_between(registration(), registration())
    assert plan.changes == ()
    assert total(plan) == "no changes"


def test_everything_is_created_in_the_order_in_which_it_is_needed():
    kinds = [each.kind for each in plan_between(None, registration()).changes]
    assert kinds == sorted(kinds, key=KINDS.index)
    assert {each.action for each in plan_between(None, registration()).changes} == {
        "create"
    }


def test_what_depends_on_others_is_deleted_first_and_after_all_else():
    agents = (Agent(name="sync02", domains=("contoso.com",), run="local"),)
    after = registration(jobs=(), targets=(), agents=agents)
    changes = plan_between(registration(), after).changes
    assert [(each.action, each.kind) for each in changes] == [
        ("create", "Agent"),
        ("delete", "Job"),
        ("delete", "Agent"),
        ("delete", "Target"),
    ]


def test_an_update_names_the_fields_in_the_words_of_the_language():
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


def test_the_digest_depends_on_the_base_and_the_changes_only():
    plan = plan_between(None, registration())
    other_base = msgspec.structs.replace(plan, base=4)
    with_impact = msgspec.structs.replace(plan, impacts=(IMPACT,))
    assert plan.digest == with_impact.digest
    assert plan.digest != other_base.digest
    assert plan.impact_digest != with_impact.impact_digest


def test_the_json_has_the_documented_shape():
    plan = msgspec.structs.replace(
        plan_between(None, registration()),
        impacts=(IMPACT, JobImpact(job="other", unknown="No agent.")),
    )
    data = plan.data()
    assert set(data) == {
        *("digest", "impactDigest", "blocked", "changes", "impact", "guards"),
        *("warnings", "consequences", "impactEvaluated"),
    }
    assert data["blocked"] is True
    assert data["impact"]["other"] == {"enabled": True, "unknown": "No agent."}
    assert data["impact"]["people"]["inScope"] == 7
    assert data["impact"]["people"]["minSeconds"] == 1.5
    (guard,) = data["guards"]
    assert guard == {
        "job": "people",
        "guard": "disables",
        "effects": 2,
        "limit": 1,
        "allow": "X",
        "total": 0,
        "follows": False,
    }
    assert set(data["changes"][0]) == {"action", "kind", "name", "fields"}


def test_a_guard_says_what_its_window_held_before():
    guard = Guard(job="people", guard="disables", effects=2, limit=5, total=6)

    assert blocked_in_words(guard) == (
        "people would cause 2 disables besides 4 in its window; at most 5 may happen "
        "without being allowed."
    )


def test_a_guard_that_hides_behind_another_is_told_as_what_follows():
    guard = msgspec.structs.replace(IMPACT.guards[0], follows=True)

    assert blocked_in_words(guard).startswith("Once the others are allowed, people ")


def test_counts_are_told_in_words():
    assert counts_in_words(IMPACT) == (
        "7 of 9 objects in scope; 5 to create, 2 to disable; 7 requests, at least 1s"
    )
    assert "unknown (Away.)" in counts_in_words(JobImpact(job="a", unknown="Away."))


def test_markdown_says_first_whom_it_touches_and_that_it_is_blocked():
    plan = msgspec.structs.replace(
        plan_between(registration(), registration(jobs=())), impacts=(IMPACT,)
    )
    text = render_markdown(plan)
    assert text.startswith("### cloudforest plan: BLOCKED by a guard; 1 to delete\n")
    assert text.index("5 to create") < text.index("- Job people")
    assert "- interval: 2m" in text
    assert "people would cause 2 disables; at most 1 may happen" in text
    assert "`X`" in text


def test_all_formats_name_the_state_in_the_command_that_allows():
    plan = msgspec.structs.replace(
        plan_between(None, registration()), impacts=(IMPACT,)
    )
    placed = on_state(plan, Path("identity/.cloudforest"))

    assert placed.data()["guards"][0]["allow"] == "X --state identity/.cloudforest"
    for page in (render_markdown(placed), render_html(placed)):
        assert "X --state identity/.cloudforest" in page
    assert on_state(plan, None) == plan


def test_markdown_fits_a_comment():
    agents = tuple(
        Agent(name=f"sync{number:04}", domains=("contoso.com",), run="local")
        for number in range(2000)
    )
    text = render_markdown(plan_between(None, registration(agents=agents)))
    assert len(text.encode()) < LIMIT + 200
    assert "The rest is cut (1" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") == 2 * text.count("```diff")


def test_html_escapes_what_people_wrote():
    tenant = Tenant(name="<script>", scenario="new-hybrid-customer")
    plan = plan_between(None, registration(tenant=tenant))
    text = render_html(msgspec.structs.replace(plan, impacts=(IMPACT,)))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "people would cause 2 disables; at most 1 may happen" in text
    assert "<code>X</code>" in text
    assert "Blocked by a guard; 5 to create</h1>" in text


def test_a_saved_plan_comes_back_as_it_was(tmp_path: Path):
    plan = plan_between(None, registration())
    save_plan(tmp_path / "plan", saved_plan(plan, registration(), None))
    saved = load_plan(tmp_path / "plan")
    assert (saved.plan, saved.tree) == (plan, digest(registration()))
    assert (tmp_path / "plan").stat().st_mode & 0o777 == 0o600


def test_a_plan_that_can_not_be_saved_is_told_with_its_name(tmp_path: Path):
    saved = saved_plan(plan_between(None, registration()), registration(), None)
    with pytest.raises(Misconfigured, match=f"can't be saved as {tmp_path} "):
        save_plan(tmp_path, saved)


@pytest.mark.parametrize("wrong", ["{}", "[", '"digest": "', None])
def test_what_is_not_a_saved_plan_is_refused(tmp_path: Path, wrong: str | None):
    path = tmp_path / "plan"
    if wrong is not None:
        path.write_text(wrong)
    with pytest.raises(Misconfigured, match="plan"):
        load_plan(path)


def test_a_plan_that_was_edited_is_refused(tmp_path: Path):
    path = tmp_path / "plan"
    plan = plan_between(None, registration())
    save_plan(path, saved_plan(plan, registration(), None))
    path.write_text(path.read_text().replace("contoso.com", "evil.com"))
    with pytest.raises(Misconfigured, match="changed after it was made"):
        load_plan(path)


def test_a_plan_whose_outcome_alone_was_edited_is_refused(tmp_path: Path):
    path = tmp_path / "plan"
    plan = plan_between(None, registration())
    save_plan(path, saved_plan(plan, registration(), None))
    file = json.loads(path.read_text())
    file["saved"]["tree"] = digest(None)
    path.write_text(json.dumps(file))
    with pytest.raises(Misconfigured, match="changed after it was made"):
        load_plan(path)
