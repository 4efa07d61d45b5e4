"""How changes of lists, expressions, durations and secrets are shown."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from tests.support.plans import JOB, plan_between, registration

from cloudforest.cli.plan_text import show_plan
from cloudforest.model.cycles import Breakdown, Counts, LeaverCount
from cloudforest.model.program import Deprovision
from cloudforest.model.registration import (
    ActiveDirectory,
    Agent,
    AttributeMapping,
    Bind,
    Domain,
    Forest,
    Mapping,
    Scope,
    SecretReference,
    Source,
    Tls,
)
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import JobImpact, Plan
from cloudforest.plan.wording import describe_counts, describe_field_value

FIRST, SECOND, THIRD = (f"OU={name},DC=contoso,DC=com" for name in "ABC")


def scoped(*units: str) -> Scope:
    return Scope(name="staff", organizational_units=units, groups=(FIRST, THIRD))


def mapped(**entry: object) -> Mapping:
    return Mapping(
        name="people",
        source_object_name="user",
        target_object_name="User",
        attribute_mappings={"title": AttributeMapping(**entry)},
        deprovision=Deprovision(out_of_scope="disable", deleted="disable"),
    )


def between_mappings(before: Mapping, after: Mapping) -> Plan:
    return plan_between(
        registration(mappings=(before,)), registration(mappings=(after,))
    )


def shown(plan: Plan, capsys: pytest.CaptureFixture[str]) -> str:
    show_plan(plan)
    return capsys.readouterr().out


def everywhere(plan: Plan, capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [
        shown(plan, capsys),
        render_markdown(plan),
        render_html(plan),
        str(plan.to_shape()),
    ]


def test_order_of_an_unordered_list_does_not_matter():
    before, after = registration(), registration()
    before = replace(before, scopes=(scoped(FIRST, SECOND),))
    after = replace(after, scopes=(scoped(SECOND, FIRST),))
    agents = (Agent(name="sync01", domains=("b.com", "contoso.com"), run="local"),)
    others = (Agent(name="sync01", domains=("contoso.com", "b.com"), run="local"),)
    assert plan_between(before, after).changes == ()
    assert (
        plan_between(registration(agents=agents), registration(agents=others)).changes
        == ()
    )


def test_order_of_controllers_matters():
    def at(*controllers: str) -> Forest:
        bind = Bind(username="svc", password=SecretReference(env="PASSWORD"))
        read = ActiveDirectory(controllers=controllers, tls=Tls(), bind=bind)
        source = Source(active_directory=read)
        return Forest(name="contoso", domains=(Domain(name="a.com", source=source),))

    before = registration(forests=(at("ldaps://one", "ldaps://two"),))
    after = registration(forests=(at("ldaps://two", "ldaps://one"),))
    [change] = plan_between(before, after).changes
    [field] = change.fields
    assert field.path == "domains[a.com].source.activeDirectory.controllers"


def test_changed_list_shows_only_added_and_removed_entries(
    capsys: pytest.CaptureFixture[str],
):
    before = registration(scopes=(scoped(FIRST, SECOND),))
    after = registration(scopes=(scoped(SECOND, THIRD),))
    plan = plan_between(before, after)
    text = shown(plan, capsys)
    assert f"- {FIRST}" in text
    assert f"+ {THIRD}" in text
    assert SECOND not in text
    for page in (render_markdown(plan), render_html(plan)):
        assert f"- organizationalUnits: {FIRST}" in page
        assert f"+ organizationalUnits: {THIRD}" in page
        assert SECOND not in page


def test_changed_expression_is_shown_as_a_word_diff(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(
        mapped(source='Join(" ", [givenName], [sn])'),
        mapped(source='Join(" ", [preferredName], [sn])'),
    )
    text = shown(plan, capsys)
    assert 'Join(" ", [[-givenName-]{+preferredName+}], [sn])' in text
    assert "[<b>givenName</b>]" in render_html(plan)
    assert "[<b>preferredName</b>]" in render_html(plan)


def test_new_attribute_mapping_is_shown_without_defaults(
    capsys: pytest.CaptureFixture[str],
):
    """Only options that differ from their defaults are shown."""
    title = AttributeMapping(source="[title]", when_null="keep")
    before = replace(mapped(), attribute_mappings={})
    plan = between_mappings(before, replace(before, attribute_mappings={"t": title}))
    written = ["source: (nothing) → [title]", "whenNull: (nothing) → keep"]
    lines = [line for line in shown(plan, capsys).splitlines() if "attributeM" in line]
    assert [line.strip() for line in lines] == [
        f"attributeMappings.t.{each}" for each in written
    ]
    for page in (render_markdown(plan), render_html(plan)):
        assert page.count("attributeMappings.t.") == len(written)
    [change] = plan.to_shape()["changes"]
    assert len(change["fields"]) > len(written)


def test_option_that_changes_to_its_default_is_shown(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(mapped(when_null="keep"), mapped(when_null="clear"))
    assert "whenNull: keep → clear" in shown(plan, capsys)


def test_duration_is_shown_as_in_the_yaml(capsys: pytest.CaptureFixture[str]):
    plan = plan_between(
        registration(jobs=(replace(JOB, interval=90),)),
        registration(jobs=(replace(JOB, interval=7200),)),
    )
    assert "interval: 90s → 2h" in shown(plan, capsys)
    for page in (render_markdown(plan), render_html(plan)):
        assert "- interval: 90s" in page
        assert "+ interval: 2h" in page


@pytest.mark.parametrize(
    ("value", "shown_as"), [(300, "5m"), (86400, "24h"), (30 * 86400, "30d")]
)
def test_duration_has_the_largest_exact_unit(value: int, shown_as: str):
    assert describe_field_value("guard.disables.window", value) == shown_as


def test_whole_number_is_shown_without_a_fraction():
    assert describe_field_value("guard.disables.percent", 20.0) == "20"
    assert describe_field_value("guard.disables.percent", 2.5) == "2.5"


def test_html_underlines_only_the_difference_and_has_no_blank_lines():
    page = render_html(
        replace(
            between_mappings(
                mapped(source='Join(" ", [givenName], [sn])'),
                mapped(source='Join(" ", [preferredName], [sn])'),
            ),
            impacts=(JobImpact(job="people", counts=Counts()),),
        )
    )
    assert "\npre b { text-decoration: underline }" in page
    [diff] = re.findall("<pre>(.*?)</pre>", page, re.DOTALL)
    assert "\n" not in diff.strip()


def test_created_and_deleted_documents_of_a_kind_share_a_heading(
    capsys: pytest.CaptureFixture[str],
):
    other = Agent(name="other", domains=("b.com",), run="local")
    plan = plan_between(
        registration(agents=(other,)),
        registration(agents=(replace(other, name="new"),), jobs=()),
    )
    assert shown(plan, capsys).splitlines().count("Agent") == 1


def test_incremental_cycle_shows_no_share_of_the_objects_read():
    """It reads fewer objects than are in scope."""
    impact = JobImpact(job="people", counts=Counts(read=0, in_scope=8))
    assert describe_counts(impact) == "8 objects in scope; nothing to do; 0 requests"


@pytest.mark.parametrize(
    ("seconds", "shown_as"),
    [
        (0.0, ""),
        (0.3, ""),
        (1.5, ", at least 1 s"),
        (150.0, ", at least 2 min"),
        (9000.0, ", at least 2 h"),
    ],
)
def test_minimum_duration_is_shown_if_the_limits_are_known(
    seconds: float, shown_as: str, capsys: pytest.CaptureFixture[str]
):
    impact = JobImpact(job="p", counts=Counts(), requests=7, min_seconds=seconds)
    plan = replace(plan_between(registration(), registration()), impacts=(impact,))
    for page in (shown(plan, capsys), render_markdown(plan), render_html(plan)):
        assert "7 requests" in page
        assert shown_as in page
        assert ("at least" in page) is bool(shown_as)


def test_texts_with_little_in_common_are_shown_as_a_whole(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(mapped(source="[title]"), mapped(source="ToUpper(mail)"))
    assert "source: [title] → ToUpper(mail)" in shown(plan, capsys)


@pytest.mark.parametrize(
    "after",
    [
        {"constant": "canary-after", "default_value": "canary-too"},
        {"source": 'IIF(IsPresent([cn]), "canary", [cn])'},
        {"template": "canary {{ cn }}"},
    ],
    ids=["constant", "text in an expression", "template"],
)
def test_sensitive_value_is_never_shown(
    after: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    plan = between_mappings(
        mapped(constant="canary-before", sensitive=True),
        mapped(**after, sensitive=True),
    )
    assert plan.changes
    for page in everywhere(plan, capsys):
        assert "canary" not in page
        assert "(sensitive)" in page


def test_text_in_a_redacting_expression_is_never_shown(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(mapped(), mapped(source='Redact("canary")'))
    for page in everywhere(plan, capsys):
        assert "canary" not in page


def test_formerly_sensitive_value_is_never_shown(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(
        mapped(constant="canary-before", sensitive=True), mapped(constant="new")
    )
    for page in everywhere(plan, capsys):
        assert "canary" not in page


def test_fence_in_a_value_does_not_end_the_fence_around_it():
    plan = between_mappings(mapped(source="[a]"), mapped(template="```\nx\n```"))
    text = render_markdown(plan)
    assert "````diff" in text
    assert "\n```\n" not in text
    assert "+   x" in text


def test_control_characters_in_a_plan_are_escaped(
    capsys: pytest.CaptureFixture[str],
):
    """An escape sequence may erase lines; a direction mark may reverse the text."""
    left = LeaverCount(
        type="user",
        action="disable",
        reason='leaves scope: title eq "\x1b[2K"',
        count=1,
    )
    impact = JobImpact(
        job="people", counts=Counts(), breakdown=Breakdown(leavers=(left,))
    )
    plans = [
        between_mappings(mapped(constant="plain"), mapped(constant=f"{sign}hidden"))
        for sign in ("\x1b[8m", "\u202e")
    ]
    plans += [
        between_mappings(mapped(source='[a] & "b"'), mapped(source='[a] & "\u202eb"')),
        replace(plan_between(registration(), registration()), impacts=(impact,)),
        unknown("No \x1b[2K."),
    ]
    for plan in plans:
        for page in (shown(plan, capsys), render_markdown(plan), render_html(plan)):
            assert "\x1b" not in page
            assert "\u202e" not in page
            assert r"\x1b[" in page or r"\u202e" in page


def unknown(reason: str) -> Plan:
    plan = plan_between(registration(), registration())
    return replace(plan, impacts=(JobImpact(job="people", unknown=reason),))


def test_reason_is_not_read_as_markup(capsys: pytest.CaptureFixture[str]):
    reason = "The scope names OU=[/x] [mail] <b>\n\n<!-- *y*."
    plan = unknown(reason)
    assert "OU=[/x] [mail] <b>" in shown(plan, capsys)
    page = render_markdown(plan)
    assert "OU=[/x] [mail] &lt;b&gt; &lt;!-- *y*.)" in page
    assert "<!--" not in page


def test_changes_are_grouped_by_kind(capsys: pytest.CaptureFixture[str]):
    jobs = (JOB, replace(JOB, name="others"))
    text = shown(plan_between(registration(jobs=()), registration(jobs=jobs)), capsys)
    assert text.count("\nJob\n") == 1
    assert text.index("\nJob\n") < text.index("+ Job others") < text.index("Plan: ")
