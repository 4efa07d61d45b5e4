"""How a change of a list, an expression or a secret is shown, and what is none."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from tests.support.plans import JOB, plan_between, registration

from cloudforest.cli.plan import show_plan
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


def test_the_order_of_a_list_that_has_none_is_no_change():
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


def test_the_order_of_controllers_is_a_change():
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


def test_of_a_list_only_what_comes_and_goes_is_shown(
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


def test_a_changed_expression_is_a_diff_of_its_words(
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


def test_an_attribute_that_is_mapped_now_is_one_line(
    capsys: pytest.CaptureFixture[str],
):
    """The defaults of its options say nothing; what is written does."""
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


def test_an_option_that_becomes_the_default_is_shown(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(mapped(when_null="keep"), mapped(when_null="clear"))
    assert "whenNull: keep → clear" in shown(plan, capsys)


def test_a_duration_is_shown_as_documents_write_it(capsys: pytest.CaptureFixture[str]):
    plan = plan_between(
        registration(jobs=(replace(JOB, interval=90),)),
        registration(jobs=(replace(JOB, interval=7200),)),
    )
    assert "interval: 90s → 2h" in shown(plan, capsys)
    for page in (render_markdown(plan), render_html(plan)):
        assert "- interval: 90s" in page
        assert "+ interval: 2h" in page


@pytest.mark.parametrize(
    ("value", "said"), [(300, "5m"), (86400, "24h"), (30 * 86400, "30d")]
)
def test_a_duration_is_in_the_unit_that_people_use(value: int, said: str):
    assert describe_field_value("guard.disables.window", value) == said


def test_a_whole_number_is_shown_as_one():
    assert describe_field_value("guard.disables.percent", 20.0) == "20"
    assert describe_field_value("guard.disables.percent", 2.5) == "2.5"


def test_only_what_differs_is_underlined_and_lines_stand_close():
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


def test_kinds_stand_together_also_where_some_go(capsys: pytest.CaptureFixture[str]):
    other = Agent(name="other", domains=("b.com",), run="local")
    plan = plan_between(
        registration(agents=(other,)),
        registration(agents=(replace(other, name="new"),), jobs=()),
    )
    assert shown(plan, capsys).splitlines().count("Agent") == 1


def test_of_those_in_scope_no_part_is_named_that_is_more_than_the_whole():
    """A cycle of changes reads fewer than are in scope."""
    impact = JobImpact(job="people", counts=Counts(read=0, in_scope=8))
    assert describe_counts(impact) == "8 objects in scope; nothing to do; 0 requests"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, ""),
        (0.3, ""),
        (1.5, ", at least 1s"),
        (150.0, ", at least 2m"),
        (9000.0, "2h"),
    ],
)
def test_the_least_time_is_said_where_the_limits_are_known(
    seconds: float, said: str, capsys: pytest.CaptureFixture[str]
):
    impact = JobImpact(job="p", counts=Counts(), requests=7, min_seconds=seconds)
    plan = replace(plan_between(registration(), registration()), impacts=(impact,))
    for page in (shown(plan, capsys), render_markdown(plan), render_html(plan)):
        assert "7 requests" in page
        assert said in page
        assert ("at least" in page) is bool(said)


def test_texts_with_little_in_common_are_shown_whole(
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
def test_a_sensitive_value_is_shown_nowhere(
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


def test_of_what_an_expression_redacts_no_text_is_shown(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(mapped(), mapped(source='Redact("canary")'))
    for page in everywhere(plan, capsys):
        assert "canary" not in page


def test_what_was_sensitive_is_not_shown_when_it_is_no_more(
    capsys: pytest.CaptureFixture[str],
):
    plan = between_mappings(
        mapped(constant="canary-before", sensitive=True), mapped(constant="new")
    )
    for page in everywhere(plan, capsys):
        assert "canary" not in page


def test_a_fence_in_a_value_ends_no_fence():
    plan = between_mappings(mapped(source="[a]"), mapped(template="```\nx\n```"))
    text = render_markdown(plan)
    assert "````diff" in text
    assert "\n```\n" not in text
    assert "+   x" in text


def test_nothing_in_a_plan_is_obeyed_by_a_terminal_or_hides_from_a_reviewer(
    capsys: pytest.CaptureFixture[str],
):
    """An escape may erase the lines above; a mark of direction reverses the text."""
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


def test_a_reason_is_no_markup(capsys: pytest.CaptureFixture[str]):
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
