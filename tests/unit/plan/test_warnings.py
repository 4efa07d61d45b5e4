"""Warnings about likely renames, and orphans of removals."""

from __future__ import annotations

from html import unescape

import msgspec
import pytest
from msgspec.structs import replace
from tests.support.plans import JOB, plan_between, registration

from cloudforest.model.program import (
    Attribute,
    AttributeProgram,
    CompiledAttributeMapping,
    Deprovision,
    JobProgram,
    ScopeProgram,
)
from cloudforest.model.registration import Registration
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import ImpactReport, make_plan
from cloudforest.plan.warnings import UncountedOrphans, find_orphans


def mapped(source: str, *targets: str) -> AttributeProgram:
    rules = tuple(
        CompiledAttributeMapping(
            target=each, expression=Attribute(name="x"), text="[x]"
        )
        for each in targets
    )
    keep = Deprovision(out_of_scope="keep", deleted="keep")
    return AttributeProgram(
        mapping=source,
        source=source,  # type: ignore[arg-type]
        target="User",
        rules=rules,
        reads=("x",),
        deprovision=keep,
    )


def programmed(*mappings: AttributeProgram, **changes: object) -> Registration:
    scope = ScopeProgram(types=("user",), organizational_units=None)
    whole = registration(**changes)
    program = JobProgram(scope=scope, mappings=mappings)
    return replace(whole, programs={each.name: program for each in whole.jobs})


BEFORE = programmed(mapped("user", "userName", "title"), mapped("group", "displayName"))


@pytest.mark.parametrize("kind", ["targets", "agents", "jobs"])
def test_rename_without_formerly_is_warned_about(kind: str):
    [noun] = getattr(registration(), kind)
    plan = plan_between(
        registration(), registration(**{kind: (replace(noun, name="new"),)})
    )
    [warning] = plan.warnings
    assert f'"{noun.name}" is removed and' in warning
    assert f'`formerly: {noun.name}` to {kind[:-1].title()} "new"' in warning
    assert plan.to_shape()["warnings"] == [warning]
    assert warning in render_markdown(plan)
    assert f"formerly: {noun.name}" in render_html(plan)


def test_removal_is_paired_with_one_creation_only():
    jobs = (replace(JOB, name="a"), replace(JOB, name="b"))
    plan = plan_between(registration(), registration(jobs=jobs))
    assert len(plan.warnings) == 1


def test_likely_rename_of_a_job_is_found_although_its_target_is_renamed():
    [cloud] = registration().targets
    after = registration(
        targets=(replace(cloud, name="new", formerly="cloud"),),
        jobs=(replace(JOB, name="staff", target="new"),),
    )
    [warning] = plan_between(registration(), after).warnings
    assert "formerly: people" in warning


def test_different_job_is_not_taken_for_a_rename():
    other = replace(JOB, name="staff", scope="contractors")
    assert plan_between(registration(), registration(jobs=(other,))).warnings == ()


def test_target_that_keeps_its_links_at_another_url_is_warned_about():
    [cloud] = registration().targets
    moved = replace(cloud, scim="https://scim.example.com/v2")
    plan = plan_between(registration(), registration(targets=(moved,)))
    [warning] = plan.warnings
    assert '"embedded" to "https://scim.example.com/v2"' in warning


def test_equal_registrations_leave_no_orphans():
    assert list(find_orphans(BEFORE, BEFORE)) == []
    assert list(find_orphans(None, BEFORE)) == []


def test_removed_job_and_target_are_counted_separately():
    after = replace(BEFORE, targets=(), jobs=(), programs={})
    assert list(find_orphans(BEFORE, after)) == [
        UncountedOrphans(("cloud", None), "target", "cloud"),
        UncountedOrphans(("cloud", "people"), "job", "cloud", "people"),
    ]


def test_job_with_another_target_leaves_orphans_in_the_first():
    after = replace(BEFORE, jobs=(replace(JOB, target="elsewhere"),))
    assert list(find_orphans(BEFORE, after)) == [
        UncountedOrphans(("cloud", "people"), "job", "cloud", "people")
    ]


def test_orphans_of_removed_mappings_have_the_new_names():
    [cloud] = BEFORE.targets
    after = programmed(
        mapped("user", "userName", "nickName"),
        targets=(replace(cloud, name="new", formerly="cloud"),),
        jobs=(replace(JOB, name="staff", target="new", formerly="people"),),
    )
    links = ("cloud", "people")
    assert list(find_orphans(BEFORE, after)) == [
        UncountedOrphans(links, "attributes", "new", "staff", "user", ("title",)),
        UncountedOrphans(links, "type", "new", "staff", "group"),
    ]


@pytest.mark.parametrize(
    ("removal", "sentence"),
    [
        (
            UncountedOrphans(("cloud", "people"), "job", "cloud", "people"),
            (
                'Job "people" no longer writes to target "cloud". 1,203 linked objects '
                "(1,200 created, 3 adopted) stay there unchanged."
            ),
        ),
        (
            UncountedOrphans(("cloud", None), "target", "cloud"),
            (
                'Target "cloud" is removed and its links are forgotten. 1,203 linked '
                "objects (1,200 created, 3 adopted) stay there unchanged."
            ),
        ),
        (
            UncountedOrphans(("cloud", "people"), "type", "cloud", "people", "group"),
            (
                'Job "people" no longer maps the type "group". 1,203 linked objects '
                '(1,200 created, 3 adopted) stay in target "cloud" unchanged, no '
                "longer managed."
            ),
        ),
        (
            UncountedOrphans(
                ("cloud", "people"),
                "attributes",
                "cloud",
                "people",
                "user",
                ("nickName", "title"),
            ),
            (
                'Job "people" no longer maps "nickName", "title" of the type "user". '
                "The values of 1,203 linked objects (1,200 created, 3 adopted) stay in "
                'target "cloud" unchanged, no longer managed.'
            ),
        ),
    ],
)
def test_every_format_shows_orphans_with_their_numbers(
    removal: UncountedOrphans, sentence: str
):
    orphans = removal.with_counts(created=1200, adopted=3)
    assert orphans.sentence == sentence
    report = ImpactReport(consequences=(orphans,))
    plan = make_plan(base=1, registered=BEFORE, desired=BEFORE, report=report)
    assert sentence in render_markdown(plan)
    assert sentence in unescape(render_html(plan))
    [shape] = msgspec.json.decode(msgspec.json.encode(plan.to_shape()))["consequences"]
    assert (shape["created"], shape["adopted"]) == (1200, 3)
    assert (shape["job"], shape["target"]) == (removal.job, "cloud")
    assert (shape["removed"], shape["sentence"]) == (removal.removed, sentence)


def test_sentence_about_one_orphan_is_singular():
    removal = UncountedOrphans(("cloud", "people"), "job", "cloud", "people")
    assert removal.with_counts(created=1, adopted=0).sentence.endswith(
        " 1 linked object (1 created, 0 adopted) stays there unchanged."
    )
